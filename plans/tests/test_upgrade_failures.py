"""Upgrades that are refused, declined, late or cut short."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Account, Card
from accounts.tests.stripe_side import decline_from_now_on, lose_answers, payments
from invoices import settlement, sweeper
from invoices.models import Status, Transaction
from plans import (
    opening,
    renewals,
)
from plans.models import (
    PlanChange,
    PlanChangeStatus,
)
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
    move,
    plan_of,
    settle_late,
)
from plans.tests.subscribers import make_subscriber
from wallet.tests.factories import balance_of

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """On starter, $29 a month, since 1 November."""
    return make_subscriber(add_card, "starter", now=START)


# Refusals and failures --------------------------------------------------------------------------
def test_the_same_plan_is_refused(alice: Account) -> None:
    with pytest.raises(ValidationError, match="on Starter already"):
        move(alice, "starter", now=TWELFTH)


@pytest.mark.parametrize("plan", ["growth", "payg"])
def test_while_a_renewal_is_unpaid_no_change_is_made(
    alice: Account, sandbox: "Sandbox", plan: str
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    renewals.renew_due(now=END)
    with pytest.raises(ValidationError, match="Pay it first"):
        move(alice, plan, now=END + DAY)


def test_while_an_attempt_is_open_no_second_one_is_made(alice: Account, sandbox: "Sandbox") -> None:
    lose_answers(sandbox)
    first = move(alice, "growth", now=TWELFTH)
    assert first.transaction is not None
    assert first.transaction.status == Status.PROCESSING
    for plan in ("growth", "payg"):
        with pytest.raises(ValidationError, match="under way"):
            move(alice, plan, now=TWELFTH + MINUTE)
    sweeper.sweep(now=TWELFTH + 2 * MINUTE)
    assert plan_of(alice) == "growth"
    assert len(payments(purpose="plan_change")) == 2  # starter itself, and this
    assert_clean(TWELFTH + HOUR)


def test_while_a_rental_is_being_paid_for_no_change_is_made(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    hold(alice, "phone_number", 5, TWELFTH)
    with pytest.raises(ValidationError, match="under way"):
        move(alice, "growth", now=TWELFTH)


def test_before_the_period_that_has_begun_is_opened_no_change_is_made(alice: Account) -> None:
    with pytest.raises(ValidationError, match="Try again in a minute"):
        move(alice, "growth", now=END)


def test_without_a_card_nothing_is_recorded(alice: Account) -> None:
    Card.objects.filter(account=alice).update(is_default=False)
    with pytest.raises(ValidationError, match="Add a payment method first"):
        move(alice, "growth", now=TWELFTH)
    assert not PlanChange.objects.exists()


def test_a_declined_upgrade_changes_nothing_and_can_be_tried_again(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    declined = move(alice, "growth", now=TWELFTH)
    assert (declined.transaction.status, plan_of(alice)) == (Status.FAILED, "starter")  # type: ignore[union-attr]
    assert allowance(alice) == (100, 0)
    decline_from_now_on(sandbox, alice.cards.get(), None)
    move(alice, "growth", now=TWELFTH + HOUR)
    statuses = PlanChange.objects.filter(account=alice).order_by("pk")
    assert [change.status for change in statuses] == ["failed", "applied"]
    assert_clean(TWELFTH + HOUR)


def test_a_late_success_of_a_failed_upgrade_brings_the_plan_that_was_paid_for(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = move(alice, "growth", now=TWELFTH).transaction
    assert failed is not None
    for _ in range(2):
        settle_late(failed, TWELFTH + 2 * HOUR)
    assert plan_of(alice) == "growth"
    assert PlanChange.objects.get(account=alice).effective_at == TWELFTH + 2 * HOUR
    assert balance_of(alice) == 0
    assert_clean(TWELFTH + 2 * HOUR)


def test_a_late_success_after_another_upgrade_is_credit(alice: Account, sandbox: "Sandbox") -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = move(alice, "growth", now=TWELFTH).transaction
    decline_from_now_on(sandbox, alice.cards.get(), None)
    move(alice, "growth", now=TWELFTH + HOUR)
    assert failed is not None
    settle_late(failed, TWELFTH + 2 * HOUR)
    assert balance_of(alice) == Decimal("42.00")
    assert_clean(TWELFTH + 2 * HOUR)


def test_a_payment_that_arrives_in_the_next_period_is_credit(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    move(alice, "growth", now=END - DAY)
    opening.open_page(now=END)
    sweeper.sweep(now=END + MINUTE)
    assert plan_of(alice) == "starter"
    assert PlanChange.objects.get(account=alice).status == PlanChangeStatus.FAILED
    assert balance_of(alice) == Decimal("2.33")
    assert_clean(END + MINUTE)


def test_a_process_killed_between_the_charge_and_our_commit_upgrades_once(
    alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def killed(**settled: object) -> Transaction:
            raise SystemExit

        patch.setattr(settlement, "settle", killed)
        with pytest.raises(SystemExit):
            move(alice, "growth", now=TWELFTH)
    assert plan_of(alice) == "starter"
    for minutes in (2, 4):
        sweeper.sweep(now=TWELFTH + minutes * MINUTE)
    assert plan_of(alice) == "growth"
    assert len([each for each in payments(purpose="plan_change") if each.amount == 16170]) == 1
    assert_clean(TWELFTH + HOUR)
