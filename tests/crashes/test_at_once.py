"""Many processes against each other, in short; `make crashes` goes on for minutes, and kills."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from accounts.models import Card
from invoices.models import Purpose, Status, Transaction
from plans.models import Renewal, UsageRecord
from plans.tests.subscribers import make_subscriber, provision
from tests.books import assert_books_are_right
from tests.crashes import deeds
from tests.crashes.crowd import at_once
from wallet.models import Entry
from wallet.tests.factories import balance_of, switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


def test_fifty_processes_on_one_wallet_lose_nothing(sandbox: "Sandbox") -> None:
    account = provision(now=timezone.now())
    batches = [[deeds.batch_of([account], f"call-{n}", size=2)] for n in range(25)]

    answers = at_once([partial(deeds.report, each) for each in batches * 2])  # each twice

    assert len({each for answer in answers for each in answer}) == 50
    assert UsageRecord.objects.count() == 50
    assert balance_of(account) == Decimal("-7.50")  # at $0.15
    sequences = Entry.objects.filter(account=account).order_by("sequence")
    assert list(sequences.values_list("sequence", flat=True)) == list(range(1, 51))
    assert_books_are_right()


def test_processes_that_rate_renew_refill_top_up_and_refund_at_once(
    sandbox: "Sandbox", add_card: Callable[..., Card]
) -> None:
    now = timezone.now()
    due = [make_subscriber(add_card, now=now - timedelta(days=40)) for _ in range(2)]
    caller = make_subscriber(add_card, "payg", now=now)
    deeds.top_up(caller)
    switch_on(caller, threshold="30", amount="25", now=now)
    everybody = [*due, caller]

    at_once(
        [deeds.renew, deeds.renew, deeds.refill, deeds.refill]
        + [partial(deeds.report, [deeds.batch_of(everybody, f"{n}", size=30)]) for n in range(4)]
        + [partial(deeds.top_up, caller), partial(deeds.refund, caller)]
    )

    deeds.renew()  # whose wallet was busy then is left to the next run
    assert not Transaction.objects.exclude(status=Status.PAID).exists()
    assert Transaction.objects.filter(purpose=Purpose.RENEWAL).count() == 2
    assert Renewal.objects.filter(number=2, status="paid").count() == 2
    assert UsageRecord.objects.count() == 120
    assert_books_are_right()
