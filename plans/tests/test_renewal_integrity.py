"""Renewals: what the database refuses, runs that overlap, and one account in trouble."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as database

from accounts.models import Account, Card
from invoices import charging
from invoices.models import Transaction
from plans import opening, past_due, renewal_charges, renewals, subscriptions, usage
from plans.models import (
    Renewal,
    RenewalStatus,
)
from plans.tests.factories import make_record
from plans.tests.subscribers import (
    make_subscriber,
    subscription_of,
    version_of,
)
from plans.tests.test_renewals import attempts_of, decline, services, told

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

ANCHOR = datetime(2027, 1, 31, 10, 0, tzinfo=UTC)
SECOND = datetime(2027, 2, 28, 10, 0, tzinfo=UTC)
THIRD = datetime(2027, 3, 31, 10, 0, tzinfo=UTC)
FOURTH = datetime(2027, 4, 30, 10, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
AddCard = Callable[..., Card]


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """On growth, $99 a month, since 31 January 10:00 UTC."""
    return make_subscriber(add_card, "growth", now=ANCHOR)


# What the database refuses --------------------------------------------------------------------
def open_period(alice: Account, **fields: Any) -> Renewal:
    """Insert period 2 by hand, except for `fields`."""
    current = subscription_of(alice)
    renewal = Renewal.objects.create(
        **{
            "account": alice,
            "subscription": current,
            "plan_version": current.plan_version,
            "number": 2,
            "anchor": current.anchor,
            "period_start": SECOND,
            "period_end": THIRD,
            "amount": 99,
            "status": RenewalStatus.DUE,
            "created_at": SECOND,
            **fields,
        }
    )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return renewal


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"number": 1, "period_start": ANCHOR, "period_end": SECOND}, "billed_once"),
        ({"period_start": SECOND + DAY}, "follow_from_the_anchor"),
        ({"period_end": THIRD - DAY}, "follow_from_the_anchor"),
        ({"number": 3, "period_start": THIRD, "period_end": FOURTH}, "leave a gap"),
        (
            {
                "anchor": ANCHOR + HOUR,
                "period_start": SECOND + HOUR,
                "period_end": THIRD + HOUR,
            },
            "of_its_account_and_anchor",
        ),
        ({"status": RenewalStatus.PAID, "paid_at": SECOND}, "has_its_transaction"),
    ],
)
def test_a_period_billed_twice_or_that_does_not_follow_is_refused(
    alice: Account, fields: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), database.atomic():
        open_period(alice, **fields)


def test_a_period_of_one_account_cannot_belong_to_the_subscription_of_another(
    alice: Account, add_card: AddCard
) -> None:
    bob = make_subscriber(add_card, "payg", now=ANCHOR)
    with pytest.raises(IntegrityError), database.atomic():
        open_period(alice, account=bob)


def test_a_paid_period_never_changes(alice: Account) -> None:
    with pytest.raises(IntegrityError, match="never changes"), database.atomic():
        Renewal.objects.filter(account=alice).update(status=RenewalStatus.DUE, paid_at=None)


def test_a_renewal_another_run_has_just_failed_to_charge_waits_for_its_next_day(
    alice: Account, add_card: AddCard, sandbox: "Sandbox", monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = make_subscriber(add_card, "growth", now=ANCHOR)
    decline(sandbox, bob)
    execute = charging.execute_opened
    runs: list[str] = []

    def meanwhile(**charge: Any) -> Transaction:
        if not runs:  # the next tick comes while this run is still charging Alice
            runs.append("the next tick")
            renewals.renew_due(now=SECOND)
        return execute(**charge)

    monkeypatch.setattr(charging, "execute_opened", meanwhile)
    renewals.renew_due(now=SECOND)
    assert (attempts_of(alice), attempts_of(bob)) == (["paid"], ["failed"])
    assert len(told(bob, "subscription_past_due")) == 1


def test_a_renewal_that_a_run_charges_singly_waits_once_another_has_tried_it(
    add_card: AddCard, sandbox: "Sandbox"
) -> None:
    """What can't be claimed together is charged later in the run: by then it may be declined."""
    bob = make_subscriber(add_card, "growth", now=ANCHOR)
    decline(sandbox, bob)
    opening.open_due_periods(now=SECOND, account_ids=[bob.pk])
    left_over = Renewal.objects.get(account=bob, status=RenewalStatus.DUE)
    renewals.renew_due(now=SECOND)
    assert renewal_charges.charge(left_over, now=SECOND) is None
    assert attempts_of(bob) == ["failed"]


def test_a_renewal_without_a_card_is_missed_once_by_runs_that_overlap(
    sandbox: "Sandbox", add_card: AddCard
) -> None:
    alice = make_subscriber(add_card, "growth", now=ANCHOR)
    Card.objects.filter(account=alice).update(is_default=False)
    opening.open_page(now=SECOND)
    stale = Renewal.objects.get(account=alice, number=2)
    renewals.renew_due(now=SECOND)
    assert renewal_charges.charge(stale, now=SECOND) is None
    assert Renewal.objects.get(pk=stale.pk).attempts == 1


def test_usage_between_a_period_nobody_opened_and_the_next_plan_is_rated(
    add_card: AddCard,
) -> None:
    """Beat was away when the free plan's period ended; an hour later the customer chose growth."""
    account = make_subscriber(add_card, "payg", now=ANCHOR)
    subscriptions.subscribe(
        account=account, plan_version=version_of("growth"), by=None, now=SECOND + 2 * HOUR
    )
    record = make_record(
        account, feature="call_minutes", quantity=Decimal(2), occurred_at=SECOND + HOUR
    )
    [result] = usage.record(records=[record], now=SECOND + 3 * HOUR)
    assert (result.status, result.amount) == ("recorded", Decimal("0.30"))


def test_one_account_that_cannot_be_paused_does_not_hold_back_the_next(
    alice: Account, add_card: AddCard, sandbox: "Sandbox", monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = make_subscriber(add_card, "starter", now=ANCHOR)
    for account in (alice, bob):
        decline(sandbox, account)
    renewals.renew_due(now=SECOND)
    lock_account = subscriptions.lock_account

    def breaks_for_alice(*, account_id: Any) -> Account:
        if account_id == alice.pk:
            raise RuntimeError("a bug")
        return lock_account(account_id=account_id)

    monkeypatch.setattr(subscriptions, "lock_account", breaks_for_alice)
    assert past_due.pause_unpaid(now=SECOND + 7 * DAY) == 1
    assert services(bob)[0] == "paused"
