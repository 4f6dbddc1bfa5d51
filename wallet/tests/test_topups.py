"""Top-ups with the saved card; payment pages are in invoices/tests/test_checkout.py."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from djmoney.money import Money
from pytest_django import Settings

from accounts.models import Account, Card, Message
from accounts.tests.factories import NOW, make_account
from accounts.tests.stripe_side import decline_from_now_on, lose_answers, payments
from invoices import sweeper
from invoices.models import Status, Transaction
from wallet import topups
from wallet.models import Entry, EntryKind
from wallet.tests.factories import balance_of, make_payer, make_wallet

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

MINIMUM = Decimal(10)


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    return make_payer(add_card, "5", name="Alice Trading")


def top_up(
    account: Account, amount: str = "25", minimum: Decimal = MINIMUM, request_key: str = ""
) -> Transaction:
    """Top up with one click."""
    return topups.charge_saved_card(
        account=account,
        amount=Decimal(amount),
        minimum=minimum,
        by=None,
        now=NOW,
        request_key=request_key,
    )


def test_one_click_charges_the_default_card_and_credits_what_was_bought(alice: Account) -> None:
    bought = top_up(alice)
    assert bought.status == Status.PAID
    assert bought.charged_amount == Money(Decimal("9.630"), "OMR")
    assert balance_of(alice) == 30
    entry = Entry.objects.get(transaction=bought)
    assert (entry.kind, entry.amount) == (EntryKind.TOP_UP, 25)
    [payment] = payments(transaction=bought.number)
    assert (payment.amount_received, payment.currency) == (9630, "omr")


def test_tax_is_charged_on_top_and_not_credited(
    add_card: Callable[..., Card], settings: Settings
) -> None:
    """$25 in Oman with 5 % VAT: $26.25, charged as OMR 10.11, and $25.00 of credit."""
    settings.CHARGE_TAX = True
    salim = make_payer(add_card, country="OM")
    quote = topups.quote(account=salim, amount=Decimal(25))
    bought = top_up(salim)
    assert (quote.price.amount, quote.price.tax) == (Decimal("26.25"), Decimal("1.25"))
    assert bought.amount == Money(Decimal("26.25"), "USD")
    assert bought.charged_amount == quote.price.charged_amount == Money(Decimal("10.110"), "OMR")
    assert quote.balance_after == balance_of(salim) == 25
    [payment] = payments(transaction=bought.number)
    assert payment.amount_received == 10110
    notice = Message.objects.get(account=salim, event="transaction_paid").payload
    assert [notice[key] for key in ("net", "tax_label", "tax", "amount")] == [
        "$25.00",
        "VAT 5 %",
        "$1.25",
        "$26.25",
    ]


def test_the_quote_is_what_is_charged(alice: Account) -> None:
    quote = topups.quote(account=alice, amount=Decimal("33.33"))
    bought = top_up(alice, "33.33")
    assert quote.price.charged_amount == bought.charged_amount
    assert quote.balance_after == balance_of(alice)


@pytest.mark.parametrize(
    ("amount", "minimum", "words"),
    [
        ("9.99", 10, "at least $10.00"),
        ("24.99", 25, "at least $25.00"),
        ("0.99", 0, "at least $1.00"),
        ("-25", 10, "at least"),
        ("NaN", 10, "at least"),
        ("Infinity", 10, "at least"),
        ("5000.01", 10, "at most $5,000.00"),
        ("25.001", 10, "whole cents"),
    ],
)
def test_an_amount_that_cannot_be_bought_says_what_can(
    amount: str, minimum: int, words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        topups.check_amount(Decimal(amount), minimum=Decimal(minimum))
    assert words in refused.value.messages[0]


@pytest.mark.parametrize("amount", ["10", "10.00", "10.01", "5000"])
def test_amounts_from_the_minimum_to_the_maximum_can_be_bought(amount: str) -> None:
    assert topups.check_amount(Decimal(amount), minimum=MINIMUM) == Decimal(amount)


def test_without_a_card_one_click_opens_nothing(sandbox: "Sandbox") -> None:
    bob = make_account()
    make_wallet(bob)
    with pytest.raises(ValidationError, match="Add a payment method"):
        top_up(bob)
    assert not Transaction.objects.exists()


def test_another_accounts_card_is_not_charged(
    alice: Account, add_card: Callable[..., Card]
) -> None:
    bob = make_payer(add_card)
    with pytest.raises(ValidationError, match="can't be charged"):
        topups.charge_saved_card(
            account=alice,
            amount=Decimal(25),
            minimum=MINIMUM,
            by=None,
            now=NOW,
            card=bob.cards.get(),
        )
    assert payments(purpose="top_up") == []


def test_a_second_click_while_the_first_is_under_way_is_no_second_charge(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    first = top_up(alice)
    assert first.status == Status.PROCESSING
    with pytest.raises(ValidationError, match="under way"):
        top_up(alice)
    sweeper.sweep(now=NOW + timedelta(minutes=2))
    assert balance_of(alice) == 30
    assert len(payments(purpose="top_up")) == 1


def test_a_form_sent_again_is_no_second_charge(
    alice: Account, add_card: Callable[..., Card]
) -> None:
    first = top_up(alice, request_key="form-1")
    assert top_up(alice, request_key="form-1").pk == first.pk
    assert balance_of(alice) == 30
    assert top_up(alice, request_key="form-2").pk != first.pk
    assert balance_of(alice) == 55
    bob = make_payer(add_card)
    assert top_up(bob, request_key="form-1").account_id == bob.pk


def test_a_form_sent_again_meanwhile_leads_to_the_same_payment(
    alice: Account, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    first = top_up(alice, request_key="form-1")
    again = top_up(alice, request_key="form-1")
    assert (again.pk, again.status) == (first.pk, Status.PROCESSING)
    with pytest.raises(ValidationError, match="under way"):
        top_up(alice, request_key="form-2")


def test_a_form_sent_again_after_a_decline_tries_again(alice: Account, sandbox: "Sandbox") -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    assert top_up(alice, request_key="form-1").status == Status.FAILED
    decline_from_now_on(sandbox, alice.cards.get(), None)
    bought = top_up(alice, request_key="form-1")
    assert bought.status == Status.PAID
    assert top_up(alice, request_key="form-1").pk == bought.pk


@pytest.mark.django_db(transaction=True)
def test_a_form_sent_by_many_at_once_is_one_charge(alice: Account) -> None:
    def send(delay: float) -> int:
        try:
            time.sleep(delay)  # some come while the first is charged, some just after
            return top_up(alice, request_key="form-1").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        opened = set(pool.map(send, (place * 0.02 for place in range(10))))
    assert len(opened) == 1
    assert balance_of(alice) == 30
    assert len(payments(purpose="top_up")) == 1


def test_a_declined_card_credits_nothing_and_says_why(alice: Account, sandbox: "Sandbox") -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    declined = top_up(alice)
    assert declined.status == Status.FAILED
    assert declined.failure_message == "The card has insufficient funds."
    assert balance_of(alice) == 5
    email = Message.objects.get(account=alice, event="transaction_failed", channel="email")
    assert email.payload["reason"] == "The card has insufficient funds."
    assert top_up_works_again(alice, sandbox)


def top_up_works_again(account: Account, sandbox: "Sandbox") -> bool:
    decline_from_now_on(sandbox, account.cards.get(), None)
    return top_up(account).status == Status.PAID
