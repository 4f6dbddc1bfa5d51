"""Charging a saved card: the intent first, then Stripe, then what it answered (I4, I5)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db import transaction as database
from djmoney.money import Money
from pytest_django import Settings

from accounts.models import Account, Card, CardStatus
from accounts.tests.factories import NOW, make_card
from accounts.tests.stripe_contract import Requests
from accounts.tests.stripe_side import (
    decline_from_now_on,
    lose_answers,
    payments,
    refuse_question,
    refuse_service,
)
from invoices import charging, settlement, sweeper
from invoices.charging import NewLine
from invoices.models import Purpose, Status, Transaction
from invoices.numbers import new_number
from wallet.tests.factories import balance_of, make_payer

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=2)


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    return make_payer(add_card, name="Alice Trading")


def open_top_up(account: Account, amount: str = "25", **fields: Any) -> Transaction:
    """Record the intent to charge a top-up to the account's card."""
    return charging.open_transaction(
        **{
            "account": account,
            "purpose": Purpose.TOP_UP,
            "lines": [NewLine("Credit top-up", Decimal(amount))],
            "status": Status.PROCESSING,
            "card": account.cards.filter(status=CardStatus.VERIFIED).first(),
            "obligation": "top_up",
            "now": NOW,
            **fields,
        }
    )


def charge(account: Account, amount: str = "25") -> Transaction:
    return charging.execute(transaction_id=open_top_up(account, amount).pk, now=NOW)


# Opening --------------------------------------------------------------------------------------
def test_rate_dollars_and_rials_are_fixed_when_it_is_opened(
    alice: Account, settings: Settings
) -> None:
    opened = open_top_up(alice, "25")
    settings.USD_TO_OMR = Decimal("0.5")
    paid = charging.execute(transaction_id=opened.pk, now=NOW)
    assert (paid.exchange_rate, paid.amount) == (Decimal("0.385"), Money(25, "USD"))
    assert paid.charged_amount == Money(Decimal("9.630"), "OMR")
    assert [payment.amount for payment in payments(transaction=paid.number)] == [9630]
    assert open_top_up(alice, "25").charged_amount == Money(Decimal("12.500"), "OMR")


def test_the_amount_is_the_sum_of_the_lines(alice: Account) -> None:
    lines = [NewLine("Growth plan", Decimal(99)), NewLine("Unused: Phone number", Decimal("-4.55"))]
    assert open_top_up(alice, lines=lines).amount == Money(Decimal("94.45"), "USD")


def test_one_attempt_is_open_for_an_obligation(alice: Account) -> None:
    first = open_top_up(alice)
    with pytest.raises(charging.AlreadyOpen, match="under way"):
        open_top_up(alice)
    open_top_up(alice, obligation="renewal:7")
    open_top_up(alice, obligation="")
    charging.execute(transaction_id=first.pk, now=NOW)
    open_top_up(alice)


@pytest.mark.parametrize("status", [CardStatus.VERIFYING, CardStatus.REJECTED, CardStatus.REMOVED])
def test_only_a_verified_card_is_charged(alice: Account, status: CardStatus) -> None:
    with pytest.raises(ValidationError, match="can't be charged"):
        open_top_up(alice, card=make_card(alice, status=status))


def test_a_charge_without_a_card_is_not_opened(alice: Account) -> None:
    with pytest.raises(ValidationError, match="Add a payment method"):
        open_top_up(alice, card=None)
    assert not Transaction.objects.exists()


def test_numbers_can_be_read_out_on_the_phone() -> None:
    numbers = {new_number("T") for _ in range(200)}
    assert len(numbers) == 200
    for number in numbers:
        assert len(number) == len("T-7K3M-9QWX")
        assert not set(number[2:]) & set("01IO")


# What Stripe may answer -----------------------------------------------------------------------
def test_a_charge_that_succeeds_is_paid_with_card_and_receipt(alice: Account) -> None:
    paid = charge(alice)
    assert (paid.status, paid.paid_at) == (Status.PAID, NOW)
    assert (paid.card_brand, paid.card_last4) == ("visa", "4242")
    [payment] = payments(transaction=paid.number)
    assert payment.id == paid.stripe_payment_intent_id
    assert payment.to_dict()["metadata"]["account"] == str(alice.pk)
    assert paid.receipt_number != ""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("insufficient_funds", "The card has insufficient funds."),
        ("expired_card", "The card has expired."),
        ("lost_card", "Your bank declined the card. Try another card or ask your bank."),
        ("generic_decline", "Your bank declined the card. Try another card or ask your bank."),
    ],
)
def test_a_decline_is_failed_with_words_for_the_customer(
    alice: Account, sandbox: "Sandbox", code: str, words: str
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), code)
    declined = charge(alice)
    assert (declined.status, declined.failed_at) == (Status.FAILED, NOW)
    assert declined.failure_message == words
    assert (declined.receipt_number, balance_of(alice)) == ("", 0)


def test_a_charge_whose_answer_is_lost_is_processing_then_paid_once(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    lost = charge(alice)
    assert lost.status == Status.PROCESSING
    assert [payment.status for payment in payments(transaction=lost.number)] == ["succeeded"]

    assert sweeper.sweep(now=NOW + timedelta(seconds=30)) == 0, "a minute has not passed yet"
    assert sweeper.sweep(now=LATER) == 1
    lost.refresh_from_db()
    assert (lost.status, lost.paid_at) == (Status.PAID, LATER)
    assert balance_of(alice) == 25
    assert len(payments(transaction=lost.number)) == 1


def test_a_decline_whose_answer_is_lost_is_processing_then_failed(
    alice: Account, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    lose_answers(sandbox)
    lost = charge(alice)
    assert lost.status == Status.PROCESSING
    sweeper.sweep(now=LATER)
    lost.refresh_from_db()
    assert (lost.status, lost.failure_code) == (Status.FAILED, "insufficient_funds")


@pytest.mark.parametrize("status", [500, 502, 429])
def test_a_stripe_that_is_down_or_busy_has_decided_nothing(
    alice: Account, sandbox: "Sandbox", status: int
) -> None:
    refuse_service(sandbox, status)
    waiting = charge(alice)
    assert (waiting.status, waiting.failure_code) == (Status.PROCESSING, "")
    assert payments(transaction=waiting.number) == []
    sweeper.sweep(now=LATER)
    waiting.refresh_from_db()
    assert waiting.status == Status.PAID
    assert balance_of(alice) == 25


def test_executing_a_settled_transaction_asks_nobody(
    alice: Account, sandbox: "Sandbox", stripe_requests: Requests
) -> None:
    paid = charge(alice)
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = charge(alice)
    asked = len(stripe_requests.sent)
    for settled in (paid, failed):
        again = charging.execute(transaction_id=settled.pk, now=LATER)
        assert (again.status, again.asked_at) == (settled.status, NOW)
    assert len(stripe_requests.sent) == asked


def test_a_card_that_stripe_does_not_know_fails_and_frees_the_obligation(alice: Account) -> None:
    Card.objects.filter(account=alice).update(stripe_payment_method_id="pm_of_another_stripe")
    failed = charge(alice)
    assert (failed.status, failed.failure_code) == (Status.FAILED, "refused")
    assert "Add it again" in failed.failure_message
    open_top_up(alice)


# After the key's lifetime ---------------------------------------------------------------------
NEXT_DAY = NOW + timedelta(hours=21)


def test_when_stripe_may_have_forgotten_the_key_the_payment_is_looked_up(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    lost = charge(alice)
    sweeper.sweep(now=NEXT_DAY)
    lost.refresh_from_db()
    assert lost.status == Status.PAID
    assert balance_of(alice) == 25
    assert len(payments(transaction=lost.number)) == 1


def test_a_charge_that_never_reached_stripe_is_not_made_a_day_later(
    alice: Account, sandbox: "Sandbox"
) -> None:
    refuse_service(sandbox, 500)
    never = charge(alice)
    sweeper.sweep(now=NEXT_DAY)
    never.refresh_from_db()
    assert (never.status, never.failure_code) == (Status.FAILED, "not_charged")
    assert payments(transaction=never.number) == []


def test_a_question_that_stripe_refuses_says_nothing_of_the_charge(
    alice: Account, sandbox: "Sandbox"
) -> None:
    """As when, for an hour, the key of another Stripe account is set: it is asked again."""
    lose_answers(sandbox)
    lost = charge(alice)
    refuse_question(sandbox, "/v1/payment_intents/search")
    assert charging.execute(transaction_id=lost.pk, now=NEXT_DAY).status == Status.PROCESSING
    assert charging.execute(transaction_id=lost.pk, now=NEXT_DAY).status == Status.PAID
    assert len(payments(transaction=lost.number)) == 1


# Sweeping -------------------------------------------------------------------------------------
def test_one_transaction_in_trouble_does_not_hold_back_the_next(
    alice: Account, add_card: Callable[..., Card], monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = make_payer(add_card)
    broken = open_top_up(alice)
    page = charging.open_transaction(
        account=alice,
        purpose=Purpose.TOP_UP,
        lines=[NewLine("Credit top-up", Decimal(25))],
        status=Status.CHECKOUT,
        now=NOW,
    )
    Transaction.objects.filter(pk=page.pk).update(stripe_checkout_session_id="cs_of_another_stripe")
    fine = open_top_up(bob, now=NOW + timedelta(seconds=1))
    settle = settlement.settle

    def breaks_for_one(*, transaction_id: int, **rest: Any) -> Transaction:
        if transaction_id == broken.pk:
            raise RuntimeError("a bug")
        return settle(transaction_id=transaction_id, **rest)

    monkeypatch.setattr(settlement, "settle", breaks_for_one)
    sweeper.sweep(now=LATER)
    for each in (broken, page, fine):
        each.refresh_from_db()
    assert broken.status == Status.PROCESSING
    assert (page.status, page.is_expired) == (Status.CHECKOUT, True), "Stripe has no such page"
    assert fine.status == Status.PAID


# Obligations in the database ------------------------------------------------------------------
def test_the_database_itself_admits_one_open_attempt(alice: Account) -> None:
    open_top_up(alice)
    other = open_top_up(alice, obligation="")
    with pytest.raises(IntegrityError, match="one_open_attempt_per_obligation"), database.atomic():
        Transaction.objects.filter(pk=other.pk).update(obligation="top_up")
