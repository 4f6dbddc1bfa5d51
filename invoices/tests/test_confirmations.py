"""The bank wants a payment confirmed: the customer completes that same payment, once, or never."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError

from accounts import cards, gateway
from accounts.models import Account, AuditEvent, Card, Message, User
from accounts.tests.factories import NOW
from accounts.tests.stripe_side import (
    answer_the_bank,
    decline_from_now_on,
    payments,
    refuse_service,
)
from invoices import charging, checkout, confirmations, sweeper
from invoices.charging import NewLine
from invoices.models import Purpose, Status, Transaction
from wallet.tests.factories import balance_of, make_payer

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ASKS = "pm_card_authenticationRequired"
ASKS_THEN_DECLINES = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"

AddCard = Callable[..., Card]


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """Her bank wants each payment confirmed."""
    return make_payer(lambda account: add_card(account, ASKS), name="Alice Trading")


def charge(
    account: Account, *, on_session: bool = False, obligation: str = "top_up", now: datetime = NOW
) -> Transaction:
    opened = charging.open_transaction(
        account=account,
        purpose=Purpose.TOP_UP,
        lines=[NewLine("Credit top-up", Decimal(25))],
        status=Status.PROCESSING,
        card=cards.default_card(account=account),
        obligation=obligation,
        is_on_session=on_session,
        now=now,
    )
    return charging.execute(transaction_id=opened.pk, now=now)


def again(transaction: Transaction, now: datetime = NOW + MINUTE) -> Transaction:
    """What the page, and the sweeper, do: ask Stripe."""
    return checkout.refresh(transaction_id=transaction.pk, now=now)


def captured(account: Account) -> list[str]:
    """The transactions that the bank took money for."""
    found = payments(account=str(account.pk))
    return [each.to_dict()["metadata"]["transaction"] for each in found if each.amount_received]


# The customer is away ---------------------------------------------------------------------------
def test_a_charge_without_the_customer_fails_and_can_be_confirmed(alice: Account) -> None:
    failed = charge(alice)
    assert (failed.status, failed.failure_code) == (Status.FAILED, "authentication_required")
    assert failed.failure_message == "Your bank wants you to confirm this payment."
    assert failed.confirmable_until == NOW + timedelta(days=7)
    assert confirmations.waiting(account=alice, now=NOW) == failed
    message = Message.objects.get(account=alice, channel="email")
    assert message.event == "confirmation_needed"
    assert message.payload["path"] == f"/billing/history/{failed.number}/confirm/"


def test_what_the_browser_needs_is_the_same_payment_and_its_card(alice: Account) -> None:
    failed = charge(alice)
    confirmation = confirmations.begin(transaction=failed, now=NOW + HOUR)
    assert confirmation.problem == ""
    assert confirmation.client_secret.startswith(f"{failed.stripe_payment_intent_id}_secret_")
    assert confirmation.payment_method_id == alice.cards.get().stripe_payment_method_id
    assert confirmation.client_secret not in repr(
        gateway.retrieve_payment(failed.stripe_payment_intent_id)
    )


def test_confirmed_it_is_paid_once(alice: Account, sandbox: "Sandbox") -> None:
    failed = charge(alice)
    answer_the_bank(sandbox, failed.stripe_payment_intent_id)
    for _ in range(3):
        paid = again(failed)
        assert (paid.status, paid.confirmable_until) == (Status.PAID, None)
    assert paid.stripe_payment_intent_id == failed.stripe_payment_intent_id
    assert captured(alice) == [failed.number]
    assert balance_of(alice) == Decimal(25)


def test_a_confirmation_that_never_came_back_is_found_by_the_sweeper(
    alice: Account, sandbox: "Sandbox"
) -> None:
    failed = charge(alice)
    answer_the_bank(sandbox, failed.stripe_payment_intent_id)
    assert confirmations.sweep(now=NOW + timedelta(minutes=16)) == 1
    assert balance_of(alice) == Decimal(25)


def test_a_challenge_that_was_not_passed_can_be_tried_again(
    alice: Account, sandbox: "Sandbox"
) -> None:
    failed = charge(alice)
    answer_the_bank(sandbox, failed.stripe_payment_intent_id, passed=False)
    unconfirmed = again(failed)
    assert unconfirmed.status == Status.FAILED
    assert unconfirmed.failure_message == "The payment was not confirmed with your bank."
    assert confirmations.waiting(account=alice, now=NOW + MINUTE) == failed
    answer_the_bank(sandbox, failed.stripe_payment_intent_id)
    assert again(failed).status == Status.PAID


def test_confirmed_and_then_declined_for_want_of_funds_it_is_over(
    add_card: AddCard, sandbox: "Sandbox"
) -> None:
    bob = make_payer(lambda account: add_card(account, ASKS_THEN_DECLINES))
    failed = charge(bob)
    with pytest.raises(Exception, match="402"):
        answer_the_bank(sandbox, failed.stripe_payment_intent_id)
    declined = again(failed)
    assert (declined.status, declined.failure_code) == (Status.FAILED, "insufficient_funds")
    assert declined.failure_message == "The card has insufficient funds."
    assert confirmations.waiting(account=bob, now=NOW + MINUTE) is None
    confirmations.sweep(now=NOW + 2 * MINUTE)
    assert [each.status for each in payments(transaction=failed.number)] == ["canceled"]
    assert (balance_of(bob), captured(bob)) == (0, [])


def test_after_a_week_nobody_can_pay_it_any_more(alice: Account) -> None:
    failed = charge(alice)
    later = NOW + timedelta(days=7)
    assert confirmations.begin(transaction=failed, now=later).problem == (
        "The time to confirm this payment has passed."
    )
    assert confirmations.sweep(now=later) == 1
    failed.refresh_from_db()
    assert (failed.status, failed.confirmable_until) == (Status.FAILED, None)
    assert failed.failure_message == "Your bank wants you to confirm this payment."
    assert [each.status for each in payments(transaction=failed.number)] == ["canceled"]


def test_confirmed_in_the_last_second_it_is_paid(alice: Account, sandbox: "Sandbox") -> None:
    failed = charge(alice)
    answer_the_bank(sandbox, failed.stripe_payment_intent_id)
    assert confirmations.sweep(now=NOW + timedelta(days=7)) == 1
    failed.refresh_from_db()
    assert (failed.status, balance_of(alice)) == (Status.PAID, Decimal(25))


def test_without_an_answer_from_stripe_it_waits(alice: Account, sandbox: "Sandbox") -> None:
    failed = charge(alice)
    path = f"/v1/payment_intents/{failed.stripe_payment_intent_id}/cancel"
    refuse_service(sandbox, 500, path)
    later = NOW + timedelta(days=7)
    assert confirmations.sweep(now=later) == 0
    assert confirmations.sweep(now=later) == 1


def test_a_card_that_was_removed_confirms_nothing(alice: Account, add_card: AddCard) -> None:
    failed = charge(alice)
    add_card(alice)
    cards.remove(card=alice.cards.get(is_default=True), by=None, now=NOW)
    failed.refresh_from_db()
    assert confirmations.begin(transaction=failed, now=NOW).problem == (
        "The card of this payment was removed."
    )


# A newer attempt --------------------------------------------------------------------------------
def test_a_newer_attempt_takes_the_place_of_one_that_waits(
    alice: Account, add_card: AddCard, sandbox: "Sandbox"
) -> None:
    first = charge(alice)
    cards.make_default(card=add_card(alice, "pm_card_mastercard"), by=None, now=NOW)
    second = charge(alice, now=NOW + HOUR)
    assert (second.status, second.supersedes) == (Status.PAID, first)
    first.refresh_from_db()
    assert first.confirmable_until is None
    assert [each.status for each in payments(transaction=first.number)] == ["canceled"]
    assert confirmations.begin(transaction=first, now=NOW + HOUR).problem == (
        f"It has been paid meanwhile, by {second.number}. There is nothing to confirm."
    )
    with pytest.raises(Exception, match="cannot confirm"):
        answer_the_bank(sandbox, first.stripe_payment_intent_id)
    assert captured(alice) == [second.number]


def test_an_attempt_is_not_charged_when_the_earlier_one_was_confirmed_meanwhile(
    alice: Account, sandbox: "Sandbox"
) -> None:
    first = charge(alice)
    answer_the_bank(sandbox, first.stripe_payment_intent_id)
    second = charge(alice, now=NOW + HOUR)
    first.refresh_from_db()
    assert first.status == Status.PAID
    assert (second.status, second.failure_code) == (Status.FAILED, "paid_before")
    assert first.number in second.failure_message
    assert captured(alice) == [first.number]
    assert balance_of(alice) == Decimal(25)


def test_nothing_is_charged_until_the_earlier_attempt_is_known_to_be_canceled(
    alice: Account, add_card: AddCard, sandbox: "Sandbox"
) -> None:
    first = charge(alice)
    cards.make_default(card=add_card(alice, "pm_card_mastercard"), by=None, now=NOW)
    refuse_service(sandbox, 500, f"/v1/payment_intents/{first.stripe_payment_intent_id}/cancel")
    second = charge(alice, now=NOW + HOUR)
    assert (second.status, second.asked_at) == (Status.PROCESSING, None)
    assert payments(transaction=second.number) == []
    sweeper.sweep(now=NOW + HOUR + 2 * MINUTE)
    second.refresh_from_db()
    assert second.status == Status.PAID
    assert captured(alice) == [second.number]


def test_payments_for_different_things_leave_each_other_alone(alice: Account) -> None:
    first, second = charge(alice), charge(alice, obligation="auto_refill")
    assert confirmations.why_not(transaction=first, now=NOW) == ""
    assert confirmations.why_not(transaction=second, now=NOW) == ""


# The customer is there --------------------------------------------------------------------------
def test_while_the_customer_answers_the_payment_is_open(alice: Account) -> None:
    waiting = charge(alice, on_session=True)
    assert (waiting.status, waiting.confirmable_until) == (
        Status.PROCESSING,
        NOW + timedelta(minutes=15),
    )
    with pytest.raises(charging.AlreadyOpen):
        charge(alice, on_session=True)
    assert not Message.objects.filter(account=alice, channel="email").exists()
    confirmation = confirmations.begin(transaction=waiting, now=NOW)
    assert confirmation.client_secret.startswith(waiting.stripe_payment_intent_id)


def test_answered_it_is_paid(alice: Account, sandbox: "Sandbox") -> None:
    waiting = charge(alice, on_session=True)
    assert again(waiting).status == Status.PROCESSING
    answer_the_bank(sandbox, waiting.stripe_payment_intent_id)
    assert again(waiting).status == Status.PAID
    assert (captured(alice), balance_of(alice)) == ([waiting.number], Decimal(25))


def test_not_passed_it_fails_and_can_be_tried_again(alice: Account, sandbox: "Sandbox") -> None:
    waiting = charge(alice, on_session=True)
    answer_the_bank(sandbox, waiting.stripe_payment_intent_id, passed=False)
    failed = again(waiting)
    assert failed.status == Status.FAILED
    assert confirmations.waiting(account=alice, now=NOW + MINUTE) == failed
    answer_the_bank(sandbox, waiting.stripe_payment_intent_id)
    assert again(waiting).status == Status.PAID


def test_a_question_that_is_not_answered_blocks_nothing_for_long(alice: Account) -> None:
    waiting = charge(alice, on_session=True)
    late = NOW + timedelta(minutes=15)
    sweeper.sweep(now=late)
    confirmations.sweep(now=late)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.failure_code) == (Status.FAILED, "not_confirmed")
    assert [each.status for each in payments(transaction=waiting.number)] == ["canceled"]
    assert charge(alice, on_session=True, now=late).status == Status.PROCESSING


def test_the_customer_may_cancel_instead(alice: Account, django_user_model: type[User]) -> None:
    user = django_user_model.objects.create_user("alice@trading.test")
    waiting = charge(alice, on_session=True)
    declined = confirmations.decline(transaction=waiting, by=user, now=NOW + MINUTE)
    assert (declined.status, declined.confirmable_until) == (Status.FAILED, None)
    assert AuditEvent.objects.get(account=alice, action="confirmation_declined").actor == user
    assert [each.status for each in payments(transaction=waiting.number)] == ["canceled"]
    # A second click changes nothing.
    assert confirmations.decline(transaction=waiting, by=user, now=NOW + MINUTE) == declined


def test_canceled_after_it_was_paid_it_stays_paid(
    alice: Account, sandbox: "Sandbox", django_user_model: type[User]
) -> None:
    user = django_user_model.objects.create_user("alice@trading.test")
    waiting = charge(alice, on_session=True)
    answer_the_bank(sandbox, waiting.stripe_payment_intent_id)
    assert confirmations.decline(transaction=waiting, by=user, now=NOW).status == Status.PAID


def test_a_lost_answer_is_asked_for_again_in_the_same_words(
    alice: Account, sandbox: "Sandbox"
) -> None:
    sandbox.fail_next(action="drop_connection", count=3, match={"path": "/v1/payment_intents"})
    lost = charge(alice, on_session=True)
    assert (lost.status, lost.stripe_payment_intent_id) == (Status.PROCESSING, "")
    waiting = again(lost)
    assert waiting.confirmable_until is not None
    assert len(payments(transaction=lost.number)) == 1


def test_a_card_that_never_asks_is_charged_at_once_while_the_customer_is_there(
    add_card: AddCard,
) -> None:
    assert charge(make_payer(add_card), on_session=True).status == Status.PAID


def test_a_plain_decline_waits_for_nothing(add_card: AddCard, sandbox: "Sandbox") -> None:
    bob = make_payer(add_card)
    decline_from_now_on(sandbox, bob.cards.get(), "insufficient_funds")
    failed = charge(bob, on_session=True)
    assert (failed.status, failed.confirmable_until) == (Status.FAILED, None)
    assert Message.objects.get(account=bob, channel="email").event == "transaction_failed"


def test_the_database_lets_nothing_wait_that_has_no_payment_at_stripe(alice: Account) -> None:
    failed = charge(alice)
    with pytest.raises(IntegrityError, match="only_an_unpaid_payment_waits"):
        Transaction.objects.filter(pk=failed.pk).update(stripe_payment_intent_id="")
