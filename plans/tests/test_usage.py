"""Worked examples of rating (DESIGN.md section 7)."""

from decimal import Decimal

import pytest

from accounts.tests.factories import NOW
from plans import usage
from plans.tests.factories import make_customer, make_record
from wallet.models import Entry, Wallet

pytestmark = pytest.mark.django_db


def test_499_of_500_used_then_12_includes_one_and_bills_eleven() -> None:
    account = make_customer(balance="20")
    usage.record(records=[make_record(account, 499)], now=NOW)
    [result] = usage.record(records=[make_record(account, 12)], now=NOW)
    assert (result.status, result.code) == ("recorded", None)
    assert result.included_quantity == 1
    assert result.billed_quantity == 11
    assert result.amount == Decimal("1.10")
    assert Wallet.objects.get(account=account).balance == Decimal("18.90")
    entry = Entry.objects.get(account=account, kind="usage")
    assert entry.description == "Call minutes: 11 beyond the allowance × $0.10"
    assert entry.amount == Decimal("-1.10")
