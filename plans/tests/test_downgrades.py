"""Downgrades act at the next renewal; so do the new versions staff move subscribers to."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError
from django.db import transaction as database

from accounts.models import Account, Card
from accounts.tests.stripe_side import decline_from_now_on
from invoices.models import Purpose, Transaction
from plans import (
    plan_changes,
    renewal_charges,
    renewals,
    rental_changes,
    subscriber_moves,
    subscriptions,
    versions,
)
from plans.models import (
    PlanChange,
    PlanChangeStatus,
    PlanVersion,
    Renewal,
)
from plans.plan_quotes import Kind
from plans.tests.changing_plans import (
    DAY,
    END,
    HOUR,
    MINUTE,
    START,
    TWELFTH,
    allowance,
    assert_clean,
    hold,
    look,
    move,
    plan_of,
    told,
    use,
    written,
)
from plans.tests.subscribers import feature, make_subscriber, subscription_of, version_of
from wallet.models import AutoRefill
from wallet.tests.factories import switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """On starter, $29 a month, since 1 November."""
    return make_subscriber(add_card, "starter", now=START)


@pytest.fixture
def bob(add_card: AddCard) -> Account:
    """On growth, $99 a month, since 1 November."""
    return make_subscriber(add_card, "growth", now=START)


# Downgrades -------------------------------------------------------------------------------------
def test_a_downgrade_is_quoted_and_acts_at_the_next_renewal(bob: Account) -> None:
    quote = look(bob, "starter", at=TWELFTH)
    assert (quote.kind, quote.price.net, quote.next_renewal_at) == (Kind.DOWNGRADE, 0, END)
    assert written(quote.next_lines) == [("Starter plan", Decimal("29.00"))]

    assert move(bob, "starter", now=TWELFTH).transaction is None

    assert plan_of(bob) == "growth"
    assert allowance(bob) == (500, 0)
    foretold = renewal_charges.next_charge(subscription=subscription_of(bob))
    assert written(foretold) == written(quote.next_lines)
    assert told(bob, "plan_change_scheduled") == 1
    renewals.renew_due(now=END)
    assert plan_of(bob) == "starter"
    second = Renewal.objects.get(account=bob, number=2)
    assert (second.amount.amount, second.status) == (29, "paid")
    assert allowance(bob) == (100, 0)
    assert told(bob, "plan_changed") == 1
    change = PlanChange.objects.get(account=bob)
    assert (change.status, change.effective_at, change.renewal) == ("applied", END, second)
    assert_clean(END)


def test_late_usage_from_before_a_downgrade_is_rated_as_before(bob: Account) -> None:
    move(bob, "starter", now=TWELFTH)
    use(bob, 500, TWELFTH)
    renewals.renew_due(now=END)
    late = use(bob, 10, END - MINUTE, now=END + HOUR)
    assert late.amount == Decimal("1.00")
    use(bob, 100, END + MINUTE, now=END + HOUR)
    assert use(bob, 10, END + MINUTE, now=END + HOUR).amount == Decimal("1.20")


def test_to_the_free_plan_is_a_downgrade_and_keeps_the_anchor(bob: Account) -> None:
    hold(bob, "phone_number", 2, START)
    quote = look(bob, "payg", at=TWELFTH)
    assert written(quote.next_lines) == [("Phone number", Decimal("6.00"))]
    move(bob, "payg", now=TWELFTH)
    renewals.renew_due(now=END)
    current = subscription_of(bob)
    assert (current.plan_version.plan.slug, current.anchor) == ("payg", START)
    assert Renewal.objects.get(account=bob, number=2).amount.amount == 6


def test_a_scheduled_change_can_be_taken_back(bob: Account) -> None:
    move(bob, "starter", now=TWELFTH)
    taken = plan_changes.take_back(account=bob, by=None, now=TWELFTH + DAY)
    assert taken is not None
    assert plan_changes.take_back(account=bob, by=None, now=TWELFTH + DAY) is None
    renewals.renew_due(now=END)
    assert plan_of(bob) == "growth"
    assert PlanChange.objects.get(account=bob).status == PlanChangeStatus.CANCELED


def test_another_choice_takes_the_place_of_the_scheduled_one(bob: Account) -> None:
    move(bob, "starter", now=TWELFTH)
    move(bob, "payg", now=TWELFTH + DAY)
    assert [change.status for change in PlanChange.objects.order_by("pk")] == [
        "canceled",
        "scheduled",
    ]
    renewals.renew_due(now=END)
    assert plan_of(bob) == "payg"


def test_an_upgrade_takes_back_what_was_scheduled_once_it_is_paid(
    alice: Account, sandbox: "Sandbox"
) -> None:
    move(alice, "payg", now=TWELFTH)
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    move(alice, "growth", now=TWELFTH + DAY)
    assert plan_changes.scheduled(subscription=subscription_of(alice)) is not None
    decline_from_now_on(sandbox, alice.cards.get(), None)
    move(alice, "growth", now=TWELFTH + 2 * DAY)
    assert plan_changes.scheduled(subscription=subscription_of(alice)) is None
    renewals.renew_due(now=END)
    assert plan_of(alice) == "growth"


def test_what_the_new_plan_does_not_allow_is_named_and_released_at_the_renewal(
    bob: Account,
) -> None:
    hold(bob, "whitelabel_license", 1, START)
    hold(bob, "call_concurrency", 50, START)
    quote = look(bob, "starter", at=TWELFTH)
    assert [(each.feature.key, each.held, each.kept) for each in quote.releases] == [
        ("call_concurrency", 50, 20),
        ("whitelabel_license", 1, 0),
    ]
    assert written(quote.next_lines) == [
        ("Starter plan", Decimal("29.00")),
        ("Call concurrency (20 held, 2 included)", Decimal("90.00")),  # 18 beyond the two included
    ]
    move(bob, "starter", now=TWELFTH)
    assert (
        rental_changes.open_rental(account=bob, feature=feature("whitelabel_license")) is not None
    )
    renewals.renew_due(now=END)
    assert rental_changes.open_rental(account=bob, feature=feature("whitelabel_license")) is None
    slots = rental_changes.open_rental(account=bob, feature=feature("call_concurrency"))
    assert slots is not None
    assert (slots.quantity, slots.started_at) == (20, END)
    assert Renewal.objects.get(account=bob, number=2).amount.amount == 119
    assert_clean(END)


def test_a_beat_that_was_away_changes_the_plan_from_the_renewal_on(bob: Account) -> None:
    move(bob, "starter", now=TWELFTH)
    back = datetime(2027, 1, 5, tzinfo=UTC)
    for minute in range(3):
        renewals.renew_due(now=back + minute * MINUTE)
    opened = subscription_of(bob).renewals.order_by("number")
    assert [(each.plan_version.plan.slug, each.status) for each in opened] == [
        ("growth", "paid"),
        ("starter", "paid"),
        ("starter", "paid"),
    ]
    assert PlanChange.objects.get(account=bob).effective_at == END


def test_an_unpaid_renewal_after_a_downgrade_is_chased_at_the_new_price(
    bob: Account, sandbox: "Sandbox"
) -> None:
    move(bob, "starter", now=TWELFTH)
    decline_from_now_on(sandbox, bob.cards.get(), "insufficient_funds")
    renewals.renew_due(now=END)
    failed = Transaction.objects.get(account=bob, purpose=Purpose.RENEWAL)
    assert (failed.status, failed.amount.amount) == ("failed", 29)


# Auto-refill ------------------------------------------------------------------------------------
def test_auto_refill_is_raised_to_what_the_new_plan_accepts_and_the_quote_says_so(
    alice: Account,
) -> None:
    switch_on(alice, threshold="0", amount="10", now=START)
    assert look(alice, "growth", at=TWELFTH).raised_refill == 25
    move(alice, "growth", now=TWELFTH)
    refill = AutoRefill.objects.get(wallet__account=alice)
    assert refill.amount.amount == 25
    assert refill.consent is not None
    assert refill.consent.amount.amount == 25


# A free plan before -----------------------------------------------------------------------------
def test_a_rental_released_before_the_plan_begins_is_not_charged_with_it(
    add_card: AddCard,
) -> None:
    """Three numbers on pay as you go, one of them released until the renewal that comes now."""
    account = make_subscriber(add_card, "payg", now=START)
    hold(account, "phone_number", 3, START)
    hold(account, "phone_number", 2, START + DAY)
    quote = look(account, "starter", at=START + 15 * DAY)
    assert quote.kind == Kind.START
    assert written(quote.lines) == [
        ("Starter plan", Decimal("29.00")),
        ("Phone number", Decimal("6.00")),
        ("Unused: Phone number", Decimal("-4.50")),  # $9.00 for fifteen of thirty days
    ]
    move(account, "starter", now=START + 15 * DAY)
    held = rental_changes.open_rental(account=account, feature=feature("phone_number"))
    assert held is not None
    assert (held.quantity, held.quantity_at_renewal) == (2, None)
    assert_clean(START + 15 * DAY)


# New versions -----------------------------------------------------------------------------------
def dearer(plan: str, price: int) -> PlanVersion:
    """Publish a version of a plan at another price."""
    draft = versions.draft_from(version=version_of(plan))
    PlanVersion.objects.filter(pk=draft.pk).update(monthly_price=price)
    draft.refresh_from_db()
    return versions.publish(version=draft, by=None, reason="New prices of 2027", now=START)


def move_subscribers(version: PlanVersion) -> int:
    """Order the move and carry it out; return how many were moved."""
    subscriber_moves.order(
        plan_version=version,
        by=None,
        reason="New prices of 2027",
        tells_customers=True,
        now=TWELFTH,
    )
    return subscriber_moves.carry_out(now=TWELFTH)


def test_staff_move_subscribers_to_a_new_version_at_their_next_renewal(
    bob: Account, alice: Account
) -> None:
    version = dearer("growth", 119)
    assert move_subscribers(version) == 1
    assert subscription_of(bob).plan_version.number == 1
    [line] = renewal_charges.next_charge(subscription=subscription_of(bob))
    assert line.amount == 119
    renewals.renew_due(now=END)
    assert subscription_of(bob).plan_version == version
    assert Renewal.objects.get(account=bob, number=2).amount.amount == 119
    assert_clean(END)


def test_moving_twice_or_past_the_customers_own_choice_moves_nobody(bob: Account) -> None:
    version = dearer("growth", 119)
    move(bob, "starter", now=TWELFTH)
    for _ in range(2):
        assert move_subscribers(version) == 0


# What the database refuses ----------------------------------------------------------------------
def test_what_is_in_force_never_changes_again(alice: Account) -> None:
    move(alice, "growth", now=TWELFTH)
    with pytest.raises(DatabaseError, match="never changes again"), database.atomic():
        PlanChange.objects.update(effective_at=START)
    with pytest.raises(DatabaseError), database.atomic():
        PlanChange.objects.all()._raw_delete("default")


def test_a_change_acts_only_within_its_own_period(bob: Account) -> None:
    change = move(bob, "starter", now=TWELFTH).change
    assert change is not None
    with pytest.raises(DatabaseError, match="not in the period"), database.atomic():
        PlanChange.objects.filter(pk=change.pk).update(
            status="applied", effective_at=END, renewal=subscription_of(bob).renewals.get()
        )


def test_one_change_waits_at_a_time(bob: Account) -> None:
    change = move(bob, "starter", now=TWELFTH).change
    assert change is not None
    change.pk = None
    with pytest.raises(DatabaseError, match="one_scheduled"), database.atomic():
        change.save()


def test_a_version_somebody_agreed_to_move_to_never_changes(bob: Account) -> None:
    version = dearer("growth", 119)
    move_subscribers(version)
    assert versions.is_subscribed(version)
    with pytest.raises(DatabaseError, match="never changes"), database.atomic():
        PlanVersion.objects.filter(pk=version.pk).update(monthly_price=1)


def test_subscribing_beside_a_paid_plan_points_to_the_change(alice: Account) -> None:
    with pytest.raises(ValidationError, match="Change the plan instead"):
        subscriptions.subscribe(
            account=alice, plan_version=version_of("growth"), by=None, now=TWELFTH
        )
