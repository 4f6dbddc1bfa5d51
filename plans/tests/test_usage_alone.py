"""A call reported by itself: one statement that commits by itself, unless more has to follow."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, PauseReason
from accounts.tests.factories import NOW
from plans import usage
from plans.models import UsageRecord
from plans.tests.factories import make_customer, make_record, make_version
from plans.usage import ResultStatus
from wallet import ledger
from wallet.models import Entry, Wallet

pytestmark = pytest.mark.django_db(transaction=True)


def balance_of(account: Account) -> Decimal:
    return Wallet.objects.get(account=account).balance


def test_alices_call_of_twelve_minutes_is_one_statement_and_no_transaction_around_it() -> None:
    alice = make_customer(balance="20", version=make_version(included="5"))
    call = make_record(alice, 12)
    with CaptureQueriesContext(connection) as asked:
        (result,) = usage.record(records=[call], now=NOW)
    # BEGIN and COMMIT would be listed, too.
    assert len(asked) == 1
    assert (result.included_quantity, result.billed_quantity, result.amount) == (
        Decimal(5), Decimal(7), Decimal("0.70"),
    )  # fmt: skip
    assert balance_of(alice) == Decimal("19.30")
    (again,) = usage.record(records=[call], now=NOW)
    assert again.status is ResultStatus.DUPLICATE
    assert balance_of(alice) == Decimal("19.30")


def test_a_call_that_takes_alice_below_zero_pauses_her_services_with_the_charge() -> None:
    alice = make_customer(balance="1", version=make_version(included="0"))
    (result,) = usage.record(records=[make_record(alice, 12)], now=NOW)
    assert result.amount == Decimal("1.20")
    alice.refresh_from_db()
    assert alice.pause_reasons == [PauseReason.NEGATIVE_BALANCE]


def test_nothing_is_charged_when_the_pause_that_must_follow_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = make_customer(balance="1", version=make_version(included="0"))
    call = make_record(alice, 12)

    def die(**_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as dying:
        dying.setattr(ledger, "follow_usage", die)
        with pytest.raises(SystemExit):
            usage.record(records=[call], now=NOW)
    assert balance_of(alice) == Decimal(1)
    assert not UsageRecord.objects.exists()

    (result,) = usage.record(records=[call], now=NOW)
    assert result.status is ResultStatus.RECORDED
    assert balance_of(alice) == Decimal("-0.20")
    assert Entry.objects.filter(account=alice, kind="usage").count() == 1
    alice.refresh_from_db()
    assert alice.pause_reasons == [PauseReason.NEGATIVE_BALANCE]
