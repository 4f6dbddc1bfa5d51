"""Renewals: each period billed once, oldest first, and chased when it is unpaid."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError

from accounts import cards
from accounts.models import Account, Card, Message
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.stripe_side import decline_from_now_on, lose_answers, payments
from invoices import charging, settlement, sweeper
from invoices.models import Purpose, Status, Transaction
from invoices.purposes import subject_of
from plans import (
    catalogue,
    opening,
    period_costs,
    renewal_charges,
    renewals,
    rentals,
)
from plans.models import (
    Allowance,
    FeaturePrice,
    Renewal,
    Subscription,
    SubscriptionStatus,
)
from plans.tests.subscribers import (
    feature,
    make_subscriber,
    provision,
    subscription_of,
)
from wallet.tests.factories import balance_of

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


def periods_of(account: Account) -> list[tuple[int, datetime, str]]:
    """Return number, start and state of each period, oldest first."""
    opened = Renewal.objects.filter(account=account, subscription=subscription_of(account))
    return list(opened.order_by("number").values_list("number", "period_start", "status"))


def attempts_of(account: Account) -> list[str]:
    """Return how each charge of a renewal ended, oldest first."""
    made = Transaction.objects.filter(account=account, purpose=Purpose.RENEWAL)
    return list(made.order_by("pk").values_list("status", flat=True))


def told(account: Account, event: str) -> list[dict[str, Any]]:
    messages = Message.objects.filter(account=account, event=event).order_by("pk")
    return [message.payload for message in messages]


def decline(sandbox: "Sandbox", account: Account, code: str | None = "insufficient_funds") -> None:
    decline_from_now_on(sandbox, cards.default_card(account=account), code)


def services(account: Account) -> tuple[str, list[str]]:
    account.refresh_from_db()
    return account.services, account.pause_reasons


# When -----------------------------------------------------------------------------------------
def test_31_january_renews_on_28_february_and_31_march(alice: Account) -> None:
    for now in (SECOND, THIRD, FOURTH):
        assert renewals.renew_due(now=now - timedelta(seconds=1)).opened == 0
        report = renewals.renew_due(now=now)
        assert (report.opened, report.paid) == (1, 1)
    assert periods_of(alice) == [
        (1, ANCHOR, "paid"),
        (2, SECOND, "paid"),
        (3, THIRD, "paid"),
        (4, FOURTH, "paid"),
    ]
    assert subscription_of(alice).current_period_end == datetime(2027, 5, 31, 10, tzinfo=UTC)


def test_a_renewal_charges_the_base_fee_and_the_rentals_beyond_the_included(
    alice: Account,
) -> None:
    for key, quantity in (("phone_number", 5), ("user_seat", 3), ("call_concurrency", 12)):
        rentals.set_quantity(account=alice, feature=feature(key), quantity=quantity, now=ANCHOR)
    renewals.renew_due(now=SECOND)
    paid = Transaction.objects.get(account=alice, purpose=Purpose.RENEWAL)
    assert [(line.description, line.quantity, line.amount.amount) for line in paid.lines.all()] == [
        ("Growth plan", 1, Decimal("99.00")),
        ("Phone number (5 held, 2 included)", 3, Decimal("7.50")),
        ("Call concurrency (12 held, 10 included)", 2, Decimal("8.00")),
    ]
    assert paid.amount.amount == Decimal("114.50")
    assert {line.period_start for line in paid.lines.all()} == {SECOND}


def test_the_next_charge_is_told_as_it_will_be(alice: Account) -> None:
    for quantity in (5, 4):
        rentals.set_quantity(
            account=alice, feature=feature("phone_number"), quantity=quantity, now=ANCHOR
        )
    foretold = sum(
        line.amount for line in renewal_charges.next_charge(subscription=subscription_of(alice))
    )
    renewals.renew_due(now=SECOND)
    assert foretold == Renewal.objects.get(account=alice, number=2).amount.amount == 104


def test_a_free_plan_renews_without_a_card_or_a_charge(sandbox: "Sandbox") -> None:
    account = provision(now=ANCHOR)
    assert renewals.renew_due(now=SECOND).opened == 1
    assert periods_of(account) == [(1, ANCHOR, "paid"), (2, SECOND, "paid")]
    assert not Transaction.objects.exists()


def test_what_is_less_than_a_card_can_be_charged_is_waived(add_card: AddCard) -> None:
    catalogue.load(now=ANCHOR)
    FeaturePrice.objects.filter(feature__key="phone_number").update(unit_price=Decimal("0.30"))
    account = make_subscriber(add_card, "payg", now=ANCHOR)
    for quantity, renews_at in ((1, SECOND), (2, THIRD)):
        held_since = renews_at - DAY
        rentals.set_quantity(
            account=account, feature=feature("phone_number"), quantity=quantity, now=held_since
        )
        renewals.renew_due(now=renews_at)
    opened = Renewal.objects.filter(account=account, number__gt=1).order_by("number")
    assert [(each.status, each.amount.amount) for each in opened] == [
        ("paid", Decimal(0)),
        ("paid", Decimal("0.60")),
    ]
    assert attempts_of(account) == ["paid"]


def test_a_beat_that_was_away_for_three_days_bills_the_period_once_from_its_start(
    alice: Account,
) -> None:
    for now in (SECOND + 3 * DAY, SECOND + 3 * DAY):
        renewals.renew_due(now=now)
    assert periods_of(alice) == [(1, ANCHOR, "paid"), (2, SECOND, "paid")]
    assert attempts_of(alice) == ["paid"]


def test_a_beat_that_was_away_for_two_months_bills_each_period_once_oldest_first(
    alice: Account,
) -> None:
    back = FOURTH + HOUR
    assert renewals.renew_due(now=back).opened == 3
    for minute in range(1, 4):
        renewals.renew_due(now=back + timedelta(minutes=minute))
    assert [status for _, _, status in periods_of(alice)] == ["paid"] * 4
    paid = Transaction.objects.filter(account=alice, purpose=Purpose.RENEWAL).order_by("pk")
    numbers = [Renewal.objects.get(pk=subject_of(each)).number for each in paid]
    assert numbers == [2, 3, 4]
    assert len(payments(purpose="renewal")) == 3


def test_a_clock_that_jumps_back_bills_nothing_again(alice: Account) -> None:
    for now in (SECOND, SECOND - 5 * DAY, SECOND, SECOND + HOUR):
        renewals.renew_due(now=now)
    assert attempts_of(alice) == ["paid"]


def test_a_subscription_that_ends_with_its_period_is_not_renewed(alice: Account) -> None:
    current = subscription_of(alice)
    Subscription.objects.filter(pk=current.pk).update(cancel_at_period_end=True)
    renewals.renew_due(now=SECOND + HOUR)
    current.refresh_from_db()
    assert (current.status, current.ended_at) == (SubscriptionStatus.CANCELED, SECOND)
    assert attempts_of(alice) == []


# Declines -------------------------------------------------------------------------------------
def test_a_decline_leaves_failed_in_the_history_and_the_subscription_past_due(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline(sandbox, alice)
    report = renewals.renew_due(now=SECOND)
    assert (report.failed, report.paused) == (1, 0)
    assert attempts_of(alice) == ["failed"]
    current = subscription_of(alice)
    assert (current.status, current.past_due_since) == (SubscriptionStatus.PAST_DUE, SECOND)
    [notice] = told(alice, "subscription_past_due")
    assert notice["reason"] == "The card has insufficient funds."
    assert len(told(alice, "subscription.past_due")) == 1
    assert not Allowance.objects.filter(account=alice, renewal__number=2).exists()
    assert services(alice) == ("active", [])


def test_it_is_retried_on_days_1_3_5_and_7_and_then_services_pause(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline(sandbox, alice)
    charged_on = []
    for quarter in range(4 * 9):
        now = SECOND + quarter * 6 * HOUR
        report = renewals.renew_due(now=now)
        if report.failed:
            charged_on.append(now - SECOND)
        if report.paused:
            assert now == SECOND + 7 * DAY
    assert charged_on == [0 * DAY, DAY, 3 * DAY, 5 * DAY, 7 * DAY]
    assert services(alice) == ("paused", ["subscription_unpaid"])
    assert len(told(alice, "services_paused")) == 1
    assert len(told(alice, "subscription_past_due")) == 5


def test_a_retry_that_succeeds_grants_the_allowance_and_ends_being_past_due(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline(sandbox, alice)
    renewals.renew_due(now=SECOND)
    decline(sandbox, alice, None)
    renewals.renew_due(now=SECOND + DAY)
    assert attempts_of(alice) == ["failed", "paid"]
    assert subscription_of(alice).status == SubscriptionStatus.ACTIVE
    assert Allowance.objects.filter(account=alice, renewal__number=2).exists()
    assert periods_of(alice)[-1] == (2, SECOND, "paid"), "its start did not move"


def fall_unpaid(account: Account, sandbox: "Sandbox") -> datetime:
    """Let a renewal be declined until services pause; return when."""
    decline(sandbox, account)
    for days in (0, 1, 3, 5, 7):
        renewals.renew_due(now=SECOND + days * DAY)
    assert services(account)[0] == "paused"
    return SECOND + 7 * DAY


def test_paying_now_resumes_services(alice: Account, sandbox: "Sandbox") -> None:
    now = fall_unpaid(alice, sandbox) + HOUR
    decline(sandbox, alice, None)
    paid = renewal_charges.pay_now(account=alice, by=None, now=now)
    assert paid.status == Status.PAID
    assert services(alice) == ("active", [])
    assert subscription_of(alice).status == SubscriptionStatus.ACTIVE
    with pytest.raises(ValidationError, match="Nothing is unpaid"):
        renewal_charges.pay_now(account=alice, by=None, now=now)


def test_a_new_default_card_is_charged_at_once_and_resumes_services(
    alice: Account, sandbox: "Sandbox", add_card: AddCard
) -> None:
    now = fall_unpaid(alice, sandbox) + HOUR
    card = add_card(alice, "pm_card_mastercard", now)
    cards.make_default(card=card, by=None, now=now)
    assert renewals.renew_due(now=now).paid == 1
    assert services(alice) == ("active", [])


def test_services_locked_by_staff_stay_paused_after_paying(
    alice: Account, sandbox: "Sandbox"
) -> None:
    now = fall_unpaid(alice, sandbox)
    Account.objects.filter(pk=alice.pk).update(pause_reasons=["subscription_unpaid", "locked"])
    decline(sandbox, alice, None)
    renewal_charges.pay_now(account=alice, by=None, now=now)
    assert services(alice) == ("paused", ["locked"])


def test_services_resume_only_when_every_period_is_paid(alice: Account, sandbox: "Sandbox") -> None:
    fall_unpaid(alice, sandbox)
    renewals.renew_due(now=THIRD)
    assert [status for _, _, status in periods_of(alice)] == ["paid", "due", "due"]
    decline(sandbox, alice, None)
    renewal_charges.pay_now(account=alice, by=None, now=THIRD + HOUR)
    assert services(alice)[0] == "paused"
    renewals.renew_due(now=THIRD + HOUR)
    assert services(alice)[0] == "active"
    assert [status for _, _, status in periods_of(alice)] == ["paid", "paid", "paid"]


def test_the_second_unpaid_period_has_its_own_retries(alice: Account, sandbox: "Sandbox") -> None:
    fall_unpaid(alice, sandbox)
    renewals.renew_due(now=THIRD)
    decline(sandbox, alice, None)
    renewal_charges.pay_now(account=alice, by=None, now=THIRD + HOUR)
    decline(sandbox, alice)
    renewals.renew_due(now=THIRD + HOUR)
    third = Renewal.objects.get(account=alice, number=3)
    assert third.next_attempt_at == THIRD + HOUR + DAY


def test_without_a_card_the_customer_is_told_and_nothing_is_charged(
    alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "_needs", [])
    cards.remove(card=alice.cards.get(), by=None, now=SECOND)
    assert renewals.renew_due(now=SECOND).failed == 1
    assert attempts_of(alice) == []
    [notice] = told(alice, "subscription_past_due")
    assert notice["reason"] == "There is no payment method to charge."
    with pytest.raises(ValidationError, match="Add a payment method"):
        renewal_charges.pay_now(account=alice, by=None, now=SECOND)


# Unknown outcomes -----------------------------------------------------------------------------
def test_an_unknown_outcome_is_not_charged_again_and_settled_when_known(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    assert renewals.renew_due(now=SECOND).unknown == 1
    assert renewals.renew_due(now=SECOND + HOUR).unknown == 0
    with pytest.raises(ValidationError, match="under way"):
        renewal_charges.pay_now(account=alice, by=None, now=SECOND + HOUR)
    assert subscription_of(alice).status == SubscriptionStatus.ACTIVE
    sweeper.sweep(now=SECOND + 2 * HOUR)
    assert attempts_of(alice) == ["paid"]
    assert len(payments(purpose="renewal")) == 1


def test_a_late_success_for_a_period_that_was_paid_meanwhile_becomes_credit(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline(sandbox, alice)
    renewals.renew_due(now=SECOND)
    failed = Transaction.objects.get(account=alice, purpose=Purpose.RENEWAL)
    decline(sandbox, alice, None)
    renewal_charges.pay_now(account=alice, by=None, now=SECOND + HOUR)
    late = Payment(Outcome.SUCCEEDED, "pi_late", 38120, "omr")
    for _ in range(2):
        settlement.settle(transaction_id=failed.pk, payment=late, now=SECOND + 2 * HOUR)
    assert balance_of(alice) == 99


def test_one_account_in_trouble_does_not_hold_back_the_next(
    alice: Account, add_card: AddCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = make_subscriber(add_card, "starter", now=ANCHOR)
    execute_opened = charging.execute_opened

    def breaks_for_alice(*, transaction: Transaction, now: datetime) -> Transaction:
        if transaction.account == alice:
            raise RuntimeError("a bug")
        return execute_opened(transaction=transaction, now=now)

    monkeypatch.setattr(charging, "execute_opened", breaks_for_alice)
    renewals.renew_due(now=SECOND)
    assert attempts_of(alice) == ["processing"]
    assert attempts_of(bob) == ["paid"]


def test_one_period_that_cannot_be_opened_does_not_hold_back_the_next(
    alice: Account, add_card: AddCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = make_subscriber(add_card, "starter", now=ANCHOR)
    break_rentals_of(alice, monkeypatch)
    assert renewals.renew_due(now=SECOND).opened == 1
    assert attempts_of(bob) == ["paid"]


def test_one_renewal_that_cannot_be_claimed_does_not_hold_back_the_next(
    alice: Account, add_card: AddCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = make_subscriber(add_card, "starter", now=ANCHOR)
    opening.open_page(now=SECOND)
    break_rentals_of(alice, monkeypatch)
    assert renewals.renew_due(now=SECOND).paid == 1
    assert (attempts_of(alice), attempts_of(bob)) == ([], ["paid"])


def break_rentals_of(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have whoever asks what this account held when a period began meet a bug."""
    held_by = period_costs.RentalHistory.held_by

    def breaks(history: Any, account_id: Any, **asked: Any) -> Any:
        if account_id == account.pk:
            raise RuntimeError("a bug")
        return held_by(history, account_id, **asked)

    monkeypatch.setattr(period_costs.RentalHistory, "held_by", breaks)
