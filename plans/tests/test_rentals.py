"""Rentals: held at once, charged for the rest of the period, released when it ends."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db import transaction as database

from accounts import service_state
from accounts.models import Account, AuditEvent, Card, PauseReason, User
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.stripe_side import decline_from_now_on, lose_answers, payments
from invoices import charging, settlement, sweeper
from invoices.models import Purpose, Status, Transaction
from plans import renewals, rental_changes, rentals
from plans.models import Rental, RentalVia
from plans.tests.subscribers import (
    feature,
    make_subscriber,
    provision,
    subscription_of,
    version_of,
)
from wallet.models import Entry
from wallet.tests.factories import balance_of, move

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

#: A period of 30 days: 1 to 30 November 2026.
START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
HALFWAY = datetime(2026, 11, 16, tzinfo=UTC)
AddCard = Callable[..., Card]


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """On growth since 1 November: 2 numbers, 3 seats and 10 slots are included."""
    return make_subscriber(add_card, "growth", now=START)


def hold(
    account: Account, key: str, quantity: int, now: datetime = HALFWAY, **fields: Any
) -> Transaction | None:
    return rentals.set_quantity(
        account=account, feature=feature(key), quantity=quantity, now=now, **fields
    )


def held(account: Account, key: str) -> int:
    rental = rental_changes.open_rental(account=account, feature=feature(key))
    return rental.quantity if rental else 0


def history(account: Account, key: str) -> list[tuple[int, datetime | None, datetime | None]]:
    """Return who held how many from when to when, oldest first."""
    rows = Rental.objects.filter(account=account, feature=feature(key)).order_by("pk")
    return [(row.quantity, row.started_at, row.ended_at) for row in rows]


# Taking ---------------------------------------------------------------------------------------
def test_what_the_plan_includes_is_free_and_held_at_once(alice: Account) -> None:
    assert hold(alice, "phone_number", 2) is None
    assert held(alice, "phone_number") == 2
    assert not Transaction.objects.filter(purpose=Purpose.RENTAL).exists()


def test_beyond_the_included_the_rest_of_the_period_is_charged(alice: Account) -> None:
    """Five numbers, two included: 3 × $2.50 for 15 of 30 days."""
    paid = hold(alice, "phone_number", 5)
    assert paid is not None
    assert (paid.status, paid.amount.amount) == (Status.PAID, Decimal("3.75"))
    line = paid.lines.get()
    assert (line.quantity, line.unit_price.amount) == (3, Decimal("2.50"))
    assert (line.period_start, line.period_end) == (HALFWAY, END)
    assert held(alice, "phone_number") == 5


def test_more_is_charged_only_for_what_is_more(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    more = hold(alice, "phone_number", 6)
    assert more is not None
    assert more.amount.amount == Decimal("1.25")


@pytest.mark.parametrize(
    ("now", "dollars"),
    [
        (START, "199.00"),
        (START + timedelta(seconds=1), "199.00"),  # 198.99992
        (HALFWAY, "99.50"),
        (END - timedelta(days=1), "6.63"),  # 6.6333
        (END - timedelta(hours=3), "0.83"),  # 0.829
        (END - timedelta(days=1) + timedelta(microseconds=1), "6.63"),
    ],
)
def test_the_rest_of_the_period_is_counted_in_whole_seconds_half_up_to_a_cent(
    alice: Account, now: datetime, dollars: str
) -> None:
    paid = hold(alice, "whitelabel_license", 1, now)
    assert paid is not None
    assert paid.amount.amount == Decimal(dollars)


def test_less_than_stripe_charges_is_waived(alice: Account) -> None:
    """One number for two days of thirty: $0.17."""
    hold(alice, "phone_number", 2)
    assert hold(alice, "phone_number", 3, END - timedelta(days=2)) is None
    assert held(alice, "phone_number") == 3


def test_a_rental_taken_before_the_period_that_has_begun_is_opened_is_charged_for_it(
    alice: Account,
) -> None:
    """Beat has been away for 15 days of December: 16 of its 31 days are left."""
    late = END + timedelta(days=15)
    paid = hold(alice, "whitelabel_license", 1, late)
    assert paid is not None
    assert paid.amount.amount == Decimal("102.71")
    assert paid.lines.get().period_end == datetime(2027, 1, 1, tzinfo=UTC)


# Refusals -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "quantity", "words"),
    [
        ("call_concurrency", 51, "at most 50"),
        ("whitelabel_license", 2, "at most 1"),
        ("phone_number", -1, "zero or more"),
        ("call_minutes", 1, "not in the plan"),
    ],
)
def test_what_the_plan_does_not_allow_is_refused(
    alice: Account, key: str, quantity: int, words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        hold(alice, key, quantity)
    assert held(alice, key) == 0


def test_what_is_not_in_the_plan_cannot_be_held(add_card: AddCard) -> None:
    starter = make_subscriber(add_card, "starter", now=START)
    with pytest.raises(ValidationError, match="not in the plan"):
        hold(starter, "whitelabel_license", 1)


def test_without_a_card_only_what_is_included_can_be_held(sandbox: "Sandbox") -> None:
    bob = provision(now=START)
    with pytest.raises(ValidationError, match="Add a payment method"):
        hold(bob, "phone_number", 1)
    assert history(bob, "phone_number") == []


def test_a_declined_card_holds_nothing(alice: Account, sandbox: "Sandbox") -> None:
    hold(alice, "phone_number", 2)
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = hold(alice, "phone_number", 5)
    assert failed is not None
    assert failed.status == Status.FAILED
    assert held(alice, "phone_number") == 2


def test_a_second_call_while_the_first_is_under_way_is_refused(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    hold(alice, "phone_number", 5)
    assert held(alice, "phone_number") == 0
    with pytest.raises(charging.AlreadyOpen):
        hold(alice, "phone_number", 5)
    sweeper.sweep(now=HALFWAY + timedelta(minutes=2))
    assert held(alice, "phone_number") == 5
    assert len(payments(purpose="rental")) == 1


def settle_late(transaction: Transaction) -> None:
    """Have Stripe say that a payment it reported as failed succeeded after all."""
    minor = int(transaction.charged_amount.amount * 1000)
    late = Payment(Outcome.SUCCEEDED, f"pi_late_{transaction.pk}", minor, "omr")
    now = HALFWAY + timedelta(hours=2)
    settlement.settle(transaction_id=transaction.pk, payment=late, now=now)


def test_a_late_success_for_what_was_given_up_becomes_credit(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = hold(alice, "phone_number", 5)
    assert failed is not None
    decline_from_now_on(sandbox, alice.cards.get(), None)
    hold(alice, "phone_number", 6)
    for _ in range(2):
        settle_late(failed)
    assert held(alice, "phone_number") == 6
    assert balance_of(alice) == Decimal("3.75")


def test_a_late_success_of_a_decline_becomes_credit_for_it_was_given_up_then(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = hold(alice, "phone_number", 5)
    assert failed is not None
    settle_late(failed)
    assert held(alice, "phone_number") == 0
    entry = Entry.objects.get(account=alice)
    assert (entry.amount, entry.transaction) == (Decimal("3.75"), failed)


def test_a_payment_learnt_of_when_its_period_is_over_becomes_credit(
    alice: Account, sandbox: "Sandbox"
) -> None:
    """The new period was charged without these: held now, they would be free until it ends."""
    hold(alice, "phone_number", 2)
    lose_answers(sandbox)
    hold(alice, "phone_number", 5, END - timedelta(days=14))
    renewals.renew_due(now=END)
    sweeper.sweep(now=END + timedelta(minutes=2))
    assert held(alice, "phone_number") == 2
    entry = Entry.objects.get(account=alice)
    assert (entry.amount, entry.description) == (
        Decimal("3.50"),
        "Credit for Phone number, paid when it was too late",
    )


def test_a_payment_for_more_than_the_plan_has_come_to_allow_becomes_credit(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    hold(alice, "call_concurrency", 40)
    subscription = subscription_of(alice)
    subscription.plan_version = version_of("starter")
    subscription.save()
    sweeper.sweep(now=HALFWAY + timedelta(minutes=2))
    assert held(alice, "call_concurrency") == 0
    assert balance_of(alice) == Decimal("60.00")


# Unpaid and locked ----------------------------------------------------------------------------
def test_while_a_renewal_is_unpaid_nothing_more_is_taken(
    alice: Account, sandbox: "Sandbox"
) -> None:
    hold(alice, "phone_number", 5)
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    renewals.renew_due(now=END)
    with pytest.raises(ValidationError, match="not paid yet"):
        hold(alice, "phone_number", 6, END)
    hold(alice, "phone_number", 3, END)  # fewer can always be asked for
    hold(alice, "phone_number", 5, END)  # and be taken back
    assert held(alice, "phone_number") == 5


def test_locked_services_take_nothing_more_and_a_negative_balance_does_not_matter(
    alice: Account,
) -> None:
    move(alice, "-5")
    assert hold(alice, "phone_number", 3) is not None
    service_state.pause(account_ids=[alice.pk], reason=PauseReason.LOCKED, now=HALFWAY)
    with pytest.raises(ValidationError, match="locked"):
        hold(alice, "phone_number", 4)


def test_what_is_held_ends_with_the_subscription(alice: Account) -> None:
    hold(alice, "phone_number", 5)
    subscription = subscription_of(alice)
    subscription.cancel_at_period_end = True
    subscription.save()
    renewals.renew_due(now=END + timedelta(hours=1))
    assert history(alice, "phone_number") == [(5, HALFWAY, END)]


# Who held what when ---------------------------------------------------------------------------
def test_the_history_says_who_asked_where_and_why(alice: Account) -> None:
    salim = User.objects.create_user("salim@sohar.test")
    fatma = User.objects.create_user("fatma@badal.test", is_staff=True)
    hold(alice, "phone_number", 2, via=RentalVia.API)
    hold(alice, "phone_number", 5, via=RentalVia.DASHBOARD, by=salim)
    hold(alice, "phone_number", 3, via=RentalVia.ADMIN, by=fatma, reason="Asked by phone")
    hold(alice, "phone_number", 5, via=RentalVia.DASHBOARD, by=salim)
    hold(alice, "phone_number", 5, via=RentalVia.DASHBOARD, by=salim)  # says nothing new
    events = AuditEvent.objects.filter(account=alice, action__startswith="rental_").order_by("pk")
    assert [
        (event.action, event.actor, event.reason, event.details["held"], event.details["quantity"])
        for event in events
    ] == [
        ("rental_taken", None, "", 0, 2),
        ("rental_taken", salim, "", 2, 5),
        ("rental_released", fatma, "Asked by phone", 5, 3),
        ("rental_release_undone", salim, "", 5, 5),
    ]
    rows = Rental.objects.filter(account=alice).order_by("pk")
    assert [(row.quantity, row.via, row.changed_by) for row in rows] == [
        (2, RentalVia.API, None),
        (5, RentalVia.DASHBOARD, salim),
    ]


# The database keeps the maximum ---------------------------------------------------------------
def test_the_database_refuses_more_than_the_plan_allows(alice: Account) -> None:
    slots = feature("call_concurrency")
    row = {"account": alice, "feature": slots, "started_at": HALFWAY}
    with pytest.raises(IntegrityError, match="more than the 50"), database.atomic():
        Rental.objects.create(**row, quantity=51)
    rental = Rental.objects.create(**row, quantity=50)
    with pytest.raises(IntegrityError, match="more than the 50"), database.atomic():
        Rental.objects.filter(pk=rental.pk).update(quantity=51)


def test_what_was_held_before_the_plan_allowed_less_is_kept_until_the_renewal(
    alice: Account,
) -> None:
    hold(alice, "call_concurrency", 50)
    subscription = subscription_of(alice)
    subscription.plan_version = version_of("starter")
    subscription.save()
    with pytest.raises(ValidationError, match="at most 20"):
        hold(alice, "call_concurrency", 51)
    hold(alice, "call_concurrency", 30)
    hold(alice, "call_concurrency", 50)
    hold(alice, "call_concurrency", 30)
    renewals.renew_due(now=END)
    assert held(alice, "call_concurrency") == 20
