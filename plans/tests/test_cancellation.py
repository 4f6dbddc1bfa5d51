"""Canceling, keeping after all, coming back; and what happens to credit and rentals meanwhile."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Account, AuditEvent, Card, PauseReason
from accounts.tests.stripe_side import decline_from_now_on, lose_answers, payments
from invoices import sweeper
from invoices.models import Purpose, Status, Transaction
from plans import (
    authorization,
    cancellation,
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
    Renewal,
    RenewalStatus,
    Subscription,
    SubscriptionStatus,
)
from plans.tests.changing_plans import (
    DAY,
    END,
    HOUR,
    MINUTE,
    START,
    TWELFTH,
    assert_clean,
    hold,
    move,
    plan_of,
    settle_late,
    told,
    use,
)
from plans.tests.subscribers import feature, make_subscriber, subscription_of, version_of
from wallet.models import AutoRefill
from wallet.tests.factories import balance_of, switch_on
from wallet.tests.factories import move as adjust

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """On growth since 1 November."""
    return make_subscriber(add_card, "growth", now=START)


def last(account: Account) -> Subscription:
    """Return the newest subscription."""
    return Subscription.objects.filter(account=account).latest("pk")


# At the end of the period -----------------------------------------------------------------------
def test_a_canceled_plan_runs_until_its_period_ends_and_is_not_renewed(alice: Account) -> None:
    cancellation.cancel(account=alice, by=None, now=TWELFTH)
    assert subscription_of(alice).cancel_at_period_end
    assert use(alice, 10, END - MINUTE).status == "recorded"
    assert renewal_charges.next_charge(subscription=subscription_of(alice)) == []

    renewals.renew_due(now=END)

    assert (last(alice).status, last(alice).ended_at) == (SubscriptionStatus.CANCELED, END)
    assert not Transaction.objects.filter(account=alice, purpose=Purpose.RENEWAL).exists()
    assert use(alice, 10, END + MINUTE).code == "not_in_plan"
    assert use(alice, 10, END - MINUTE, now=END + HOUR).status == "recorded"
    assert (told(alice, "cancellation_scheduled"), told(alice, "subscription_canceled")) == (1, 1)
    assert_clean(END + HOUR)


def test_no_call_starts_without_a_plan_but_services_are_not_paused(alice: Account) -> None:
    cancellation.cancel(account=alice, by=None, now=TWELFTH)
    renewals.renew_due(now=END)
    answer = authorization.check(account=str(alice.pk), feature="call_minutes", now=END)
    assert (answer.allowed, answer.services, answer.reasons) == (
        False,
        "active",
        ["no_subscription"],
    )


def test_rentals_end_with_the_plan_and_auto_refill_is_switched_off(alice: Account) -> None:
    hold(alice, "phone_number", 5, START)
    switch_on(alice, threshold="0", now=START)
    cancellation.cancel(account=alice, by=None, now=TWELFTH)
    assert rental_changes.open_rental(account=alice, feature=feature("phone_number")) is not None
    renewals.renew_due(now=END + 3 * DAY)
    assert rental_changes.open_rental(account=alice, feature=feature("phone_number")) is None
    refill = AutoRefill.objects.get(wallet__account=alice)
    assert (refill.enabled, str(refill.consent)) == (False, "Switched off")
    assert last(alice).ended_at == END


def test_it_can_be_undone_until_the_period_ends(alice: Account) -> None:
    cancellation.cancel(account=alice, by=None, now=TWELFTH)
    cancellation.keep(account=alice, by=None, now=END - MINUTE)
    renewals.renew_due(now=END)
    assert plan_of(alice) == "growth"
    assert Renewal.objects.get(account=alice, number=2).status == RenewalStatus.PAID
    with pytest.raises(ValidationError, match="no cancellation"):
        cancellation.keep(account=alice, by=None, now=END)


def test_once_the_period_is_over_nothing_is_undone(alice: Account) -> None:
    cancellation.cancel(account=alice, by=None, now=TWELFTH)
    with pytest.raises(ValidationError, match="no cancellation"):
        cancellation.keep(account=alice, by=None, now=END)
    renewals.renew_due(now=END)
    with pytest.raises(ValidationError, match="no plan"):
        cancellation.keep(account=alice, by=None, now=END)


def test_canceling_twice_says_so_and_a_change_that_waits_is_taken_back(alice: Account) -> None:
    move(alice, "starter", now=TWELFTH)
    cancellation.cancel(account=alice, by=None, now=TWELFTH, reason="Moving away")
    assert plan_changes.scheduled(subscription=subscription_of(alice)) is None
    with pytest.raises(ValidationError, match="canceled already"):
        cancellation.cancel(account=alice, by=None, now=TWELFTH)
    with pytest.raises(ValidationError, match="Keep the plan first"):
        move(alice, "starter", now=TWELFTH + MINUTE)
    event = AuditEvent.objects.get(account=alice, action="cancellation_scheduled")
    assert event.reason == "Moving away"


def test_while_a_payment_is_under_way_nothing_is_canceled(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    renewals.renew_due(now=END)
    with pytest.raises(ValidationError, match="under way"):
        cancellation.cancel(account=alice, by=None, now=END + MINUTE)
    sweeper.sweep(now=END + 2 * MINUTE)
    cancellation.cancel(account=alice, by=None, now=END + HOUR)


# While past due ---------------------------------------------------------------------------------
def past_due(account: Account, sandbox: "Sandbox") -> None:
    decline_from_now_on(sandbox, account.cards.get(), "insufficient_funds")
    renewals.renew_due(now=END)
    renewals.renew_due(now=END + 8 * DAY)


def test_a_plan_that_is_past_due_ends_at_once_and_what_is_unpaid_is_void(
    alice: Account, sandbox: "Sandbox"
) -> None:
    hold(alice, "phone_number", 5, START)
    past_due(alice, sandbox)
    alice.refresh_from_db()
    assert alice.pause_reasons == [PauseReason.SUBSCRIPTION_UNPAID]
    now = END + 9 * DAY

    cancellation.cancel(account=alice, by=None, now=now)

    assert (last(alice).status, last(alice).ended_at) == (SubscriptionStatus.CANCELED, now)
    assert Renewal.objects.get(account=alice, number=2).status == RenewalStatus.VOID
    alice.refresh_from_db()
    assert alice.pause_reasons == []
    attempts = len(payments(purpose="renewal"))
    for days in range(10, 40):
        renewals.renew_due(now=END + days * DAY)
    assert len(payments(purpose="renewal")) == attempts
    assert_clean(END + 40 * DAY)


def test_a_late_payment_of_what_is_void_is_credit(alice: Account, sandbox: "Sandbox") -> None:
    past_due(alice, sandbox)
    failed = Transaction.objects.filter(account=alice, purpose=Purpose.RENEWAL).earliest("pk")
    cancellation.cancel(account=alice, by=None, now=END + 9 * DAY)
    settle_late(failed, END + 10 * DAY)
    assert balance_of(alice) == 99
    assert last(alice).status == SubscriptionStatus.CANCELED
    assert_clean(END + 10 * DAY)


# Coming back ------------------------------------------------------------------------------------
def test_credit_stays_and_pay_as_you_go_makes_it_usable_again(alice: Account) -> None:
    adjust(alice, "50", now=START)
    cancellation.cancel(account=alice, by=None, now=TWELFTH)
    renewals.renew_due(now=END)
    assert balance_of(alice) == 50
    back = END + 10 * DAY
    move(alice, "payg", now=back)
    assert (plan_of(alice), subscription_of(alice).anchor) == ("payg", back)
    assert use(alice, 10, back + MINUTE).amount == Decimal("1.50")
    assert use(alice, 10, END + DAY, now=back + HOUR).code == "not_in_plan"
    assert_clean(back + HOUR)


def test_the_same_plan_can_be_started_again_with_an_anchor_of_its_own(alice: Account) -> None:
    cancellation.cancel(account=alice, by=None, now=TWELFTH)
    renewals.renew_due(now=END)
    back = END + 10 * DAY
    agreed = move(alice, "growth", now=back)
    assert agreed.transaction is not None
    assert (agreed.transaction.status, agreed.transaction.amount.amount) == (Status.PAID, 99)
    assert (plan_of(alice), subscription_of(alice).anchor) == ("growth", back)
    assert_clean(back)


def test_whoever_canceled_past_due_can_start_again(alice: Account, sandbox: "Sandbox") -> None:
    past_due(alice, sandbox)
    cancellation.cancel(account=alice, by=None, now=END + 9 * DAY)
    decline_from_now_on(sandbox, alice.cards.get(), None)
    paid = subscriptions.subscribe(
        account=alice, plan_version=version_of("starter"), by=None, now=END + 10 * DAY
    )
    assert paid is not None
    assert paid.status == Status.PAID
    assert plan_of(alice) == "starter"
    assert_clean(END + 10 * DAY)


def test_pay_as_you_go_can_be_canceled_too(add_card: AddCard) -> None:
    account = make_subscriber(add_card, "payg", now=START)
    cancellation.cancel(account=account, by=None, now=TWELFTH)
    assert use(account, 1, END - MINUTE).status == "recorded"
    renewals.renew_due(now=END)
    assert subscriptions.current(account=account) is None


def test_a_paid_plan_may_begin_although_the_free_one_is_canceled(add_card: AddCard) -> None:
    account = make_subscriber(add_card, "payg", now=START)
    cancellation.cancel(account=account, by=None, now=TWELFTH)
    move(account, "starter", now=TWELFTH + DAY)
    assert plan_of(account) == "starter"
    assert not subscription_of(account).cancel_at_period_end


# When another plan takes its place ---------------------------------------------------------------
def test_what_is_unpaid_of_the_free_plan_is_void_once_a_paid_one_begins(
    add_card: AddCard, sandbox: "Sandbox"
) -> None:
    account = make_subscriber(add_card, "payg", now=START)
    hold(account, "phone_number", 2, START)
    lose_answers(sandbox)
    growth = move(account, "growth", now=END - MINUTE).transaction
    assert growth is not None
    sandbox.fail_next(action="decline", decline_code="insufficient_funds")
    renewals.renew_due(now=END)
    unpaid = Renewal.objects.get(account=account, number=2)
    assert unpaid.status == RenewalStatus.DUE

    settle_late(growth, END + HOUR)

    unpaid.refresh_from_db()
    assert (plan_of(account), unpaid.status) == ("growth", RenewalStatus.VOID)
    assert renewals.renew_due(now=END + 10 * DAY).charged == 0
    assert subscription_of(account).status == SubscriptionStatus.ACTIVE
    assert_clean(END + 10 * DAY)


def test_a_change_that_waits_is_forgotten_once_a_paid_plan_begins(add_card: AddCard) -> None:
    account = make_subscriber(add_card, "payg", now=START)
    draft = versions.draft_from(version=version_of("payg"))
    dearer = versions.publish(version=draft, by=None, reason="New prices", now=START)
    subscriber_moves.order(
        plan_version=dearer, by=None, reason="New prices", tells_customers=True, now=START
    )
    assert subscriber_moves.carry_out(now=START) == 1

    move(account, "growth", now=TWELFTH)

    [change] = PlanChange.objects.filter(account=account)
    assert (plan_of(account), change.status) == ("growth", PlanChangeStatus.CANCELED)
