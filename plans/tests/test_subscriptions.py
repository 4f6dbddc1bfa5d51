"""Subscribing: amounts first, period 1 when it is paid (DESIGN.md sections 6 and 7)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db import transaction as database

from accounts import cards
from accounts.models import Account, Card
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.factories import NOW
from accounts.tests.stripe_side import decline_from_now_on, lose_answers, payments
from invoices import settlement, sweeper
from invoices.models import Purpose, Status, Transaction
from plans import rentals, subscriptions
from plans.models import (
    Allowance,
    RenewalStatus,
    Subscription,
    SubscriptionStatus,
)
from plans.tests.subscribers import (
    feature,
    make_subscriber,
    provision,
    subscription_of,
    version_of,
)
from wallet.tests.factories import balance_of

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=3)
AddCard = Callable[..., Card]


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """An account with a card, on the free plan since NOW."""
    return make_subscriber(add_card, "payg")


def subscribe(account: Account, plan: str = "growth", now: datetime = LATER) -> Transaction:
    transaction = subscriptions.subscribe(
        account=account, plan_version=version_of(plan), by=None, now=now
    )
    assert transaction is not None
    return transaction


def included(account: Account, key: str = "call_minutes") -> Decimal:
    """Return what the current period includes of a feature."""
    current = subscription_of(account)
    return Allowance.objects.get(
        renewal__subscription=current,
        renewal__number=current.current_period_number,
        feature__key=key,
    ).included


# Choosing -------------------------------------------------------------------------------------
def test_enterprise_is_offered_only_to_whom_it_was_given(alice: Account) -> None:
    offered = [version.plan.slug for version in subscriptions.offered_to(account=alice)]
    assert offered == ["payg", "starter", "growth"]
    with pytest.raises(ValidationError, match="not offered"):
        subscribe(alice, "enterprise")
    given = provision(plan="enterprise")
    assert version_of("enterprise") in subscriptions.offered_to(account=given)


@pytest.mark.parametrize("plan", ["starter", "growth"])
def test_the_preview_is_exactly_what_is_charged(alice: Account, plan: str) -> None:
    for key, quantity in (("phone_number", 3), ("user_seat", 2)):
        rentals.set_quantity(account=alice, feature=feature(key), quantity=quantity, now=NOW)
    preview = subscriptions.preview(account=alice, plan_version=version_of(plan), now=LATER)
    paid = subscribe(alice, plan)
    assert paid.status == Status.PAID
    assert preview.price.amount == paid.amount.amount
    assert preview.price.charged_amount == paid.charged_amount
    shown = [(line.description, line.amount) for line in preview.lines]
    assert shown == [(line.description, line.amount.amount) for line in paid.lines.all()]
    [payment] = payments(purpose="plan_change")
    assert payment.amount_received == preview.price.charged_amount.amount * 1000


def test_growth_costs_99_dollars_which_is_38_rials_and_120_baisa(alice: Account) -> None:
    paid = subscribe(alice)
    assert paid.amount.amount == 99
    assert paid.charged_amount.amount == Decimal("38.120")


# Free plans -----------------------------------------------------------------------------------
def test_a_free_plan_begins_at_once_and_needs_no_card(sandbox: "Sandbox") -> None:
    account = provision(plan="payg")
    current = subscription_of(account)
    assert (current.status, current.anchor) == (SubscriptionStatus.ACTIVE, NOW)
    first = current.renewals.get()
    assert (first.status, first.amount.amount, first.transaction) == (RenewalStatus.PAID, 0, None)


def test_a_second_free_plan_is_refused(alice: Account) -> None:
    with pytest.raises(ValidationError, match="There is a subscription already"):
        subscriptions.subscribe(account=alice, plan_version=version_of("payg"), by=None, now=LATER)


def test_a_plan_that_costs_something_does_not_begin_for_free(alice: Account) -> None:
    with pytest.raises(ValidationError, match="paid for first"):
        subscriptions.start_free(account=alice, plan_version=version_of("growth"), now=LATER)


# From free to paid ----------------------------------------------------------------------------
def test_the_paid_plan_has_its_own_anchor_and_the_free_one_ends_at_that_moment(
    alice: Account,
) -> None:
    free = subscription_of(alice)
    subscribe(alice, now=LATER)
    paid = subscription_of(alice)
    free.refresh_from_db()
    assert paid.pk != free.pk
    assert (paid.anchor, paid.current_period_number) == (LATER, 1)
    assert (free.status, free.ended_at) == (SubscriptionStatus.CANCELED, LATER)
    assert included(alice) == 500


def test_rentals_paid_for_already_are_not_paid_twice(alice: Account) -> None:
    """Three seats at $12 for 30 days; after 3 days 27 of 30 are unused; growth includes three."""
    rentals.set_quantity(account=alice, feature=feature("user_seat"), quantity=3, now=NOW)

    paid = subscribe(alice)
    lines = [(line.description, line.amount.amount) for line in paid.lines.all()]
    assert lines == [
        ("Growth plan", Decimal("99.00")),
        ("Unused: User seat", Decimal("-32.40")),
    ]
    assert paid.amount.amount == Decimal("66.60")


def test_many_rentals_paid_for_already_are_not_paid_twice_either(alice: Account) -> None:
    """100 seats at $12 for 30 days, after 3 of them: $1,080 of $1,200 are unused."""
    rentals.set_quantity(account=alice, feature=feature("user_seat"), quantity=100, now=NOW)
    paid = subscribe(alice)
    lines = [(line.description, line.amount.amount) for line in paid.lines.all()]
    assert lines == [
        ("Growth plan", Decimal("99.00")),
        ("User seat (100 held, 3 included)", Decimal("970.00")),
        ("Unused: User seat", Decimal("-1068.40")),  # as much as leaves something to charge
    ]
    assert paid.amount.amount == Decimal("0.60")


def test_a_paid_plan_needs_a_card(sandbox: "Sandbox") -> None:
    account = provision(plan="payg")
    with pytest.raises(ValidationError, match="Add a payment method"):
        subscribe(account)
    assert not Transaction.objects.exists()


def test_a_second_paid_plan_is_another_matter(alice: Account) -> None:
    subscribe(alice, "starter")
    with pytest.raises(ValidationError, match="You are on Starter"):
        subscribe(alice, "growth")


def test_the_default_card_stays_while_a_plan_is_charged_to_it(alice: Account) -> None:
    subscribe(alice)
    with pytest.raises(ValidationError, match="Growth plan is charged to this card"):
        cards.remove(card=alice.cards.get(), by=None, now=LATER)


def test_on_the_free_plan_the_card_may_go(alice: Account) -> None:
    cards.remove(card=alice.cards.get(), by=None, now=LATER)
    assert not alice.cards.filter(is_default=True).exists()


# When the card is declined --------------------------------------------------------------------
def test_a_declined_card_leaves_the_plan_inactive_and_the_free_one_in_force(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    assert subscribe(alice).status == Status.FAILED
    assert subscription_of(alice).plan_version == version_of("payg")
    inactive = Subscription.objects.get(account=alice, status=SubscriptionStatus.INACTIVE)
    assert (inactive.anchor, inactive.renewals.count()) == (None, 0)

    decline_from_now_on(sandbox, alice.cards.get(), None)
    assert subscribe(alice, now=LATER + timedelta(hours=1)).status == Status.PAID
    assert subscription_of(alice).pk == inactive.pk


def test_after_a_decline_another_plan_may_be_chosen(alice: Account, sandbox: "Sandbox") -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    subscribe(alice, "growth")
    decline_from_now_on(sandbox, alice.cards.get(), None)
    subscribe(alice, "starter")
    assert subscription_of(alice).plan_version == version_of("starter")


def test_a_late_success_for_a_plan_not_chosen_any_more_becomes_credit(
    alice: Account, sandbox: "Sandbox"
) -> None:
    """$29 for starter never begins growth."""
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    starter = subscribe(alice, "starter")
    subscribe(alice, "growth")
    settle_late(starter)
    assert subscription_of(alice).plan_version == version_of("payg")
    assert balance_of(alice) == 29


def settle_late(transaction: Transaction) -> None:
    """Have Stripe say that a payment it reported as failed succeeded after all."""
    minor = int(transaction.charged_amount.amount * 1000)
    late = Payment(Outcome.SUCCEEDED, f"pi_late_{transaction.pk}", minor, "omr")
    settlement.settle(transaction_id=transaction.pk, payment=late, now=LATER + timedelta(hours=2))


def test_a_payment_for_a_plan_that_is_paid_already_becomes_credit(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = subscribe(alice)
    decline_from_now_on(sandbox, alice.cards.get(), None)
    subscribe(alice)
    for _ in range(2):
        settle_late(failed)
    assert balance_of(alice) == 99
    assert subscription_of(alice).renewals.count() == 1


# When the answer is lost ----------------------------------------------------------------------
def test_period_one_starts_when_the_payment_is_known_and_the_receipt_shows_it(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    lost = subscribe(alice)
    assert lost.status == Status.PROCESSING
    assert subscription_of(alice).plan_version == version_of("payg")
    with pytest.raises(ValidationError, match="under way"):
        subscribe(alice)

    known = LATER + timedelta(minutes=10)
    sweeper.sweep(now=known)
    current = subscription_of(alice)
    assert (current.plan_version, current.anchor) == (version_of("growth"), known)
    line = lost.lines.get()
    assert (line.period_start, line.period_end) == (known, current.current_period_end)
    assert len(payments(purpose="plan_change")) == 1


def test_a_subscription_begins_on_a_whole_second(alice: Account) -> None:
    subscribe(alice, now=datetime(2026, 11, 30, 12, 0, 0, 999_999, tzinfo=UTC))
    assert subscription_of(alice).anchor == datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


# What the database refuses --------------------------------------------------------------------
def test_one_subscription_is_in_force(alice: Account) -> None:
    current = subscription_of(alice)
    with pytest.raises(IntegrityError, match="one_current_subscription"), database.atomic():
        Subscription.objects.create(
            account=alice,
            plan_version=current.plan_version,
            status=SubscriptionStatus.ACTIVE,
            anchor=current.anchor,
            current_period_number=1,
            current_period_start=current.current_period_start,
            current_period_end=current.current_period_end,
            created_at=NOW,
        )


def test_a_period_that_does_not_follow_from_the_anchor_is_refused(alice: Account) -> None:
    current = subscription_of(alice)
    with pytest.raises(IntegrityError, match="follows_from_the_anchor"), database.atomic():
        Subscription.objects.filter(pk=current.pk).update(current_period_end=LATER)


def test_a_plan_change_is_what_it_is_called(alice: Account) -> None:
    assert subscribe(alice).purpose == Purpose.PLAN_CHANGE
