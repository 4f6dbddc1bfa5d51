"""A payment's page tells its story from what was recorded, and nothing else."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import outbox
from accounts.models import Account
from accounts.stripe_objects import Outcome, Payment
from accounts.tests.factories import NOW, make_card
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.test_reversals import dispute, refund
from billing_portal.dashboard.timeline import build_timeline
from invoices import settlement
from invoices.models import Purpose, Status, Transaction
from invoices.tests.factories import make_transaction
from wallet import ledger
from wallet.models import EntryKind

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
MINUTE = timedelta(minutes=1)


def story(transaction: Transaction, now: datetime | None = None) -> list[str]:
    """The titles, with the words behind them."""
    transaction.refresh_from_db()
    zone = transaction.account.timezone
    events = build_timeline(transaction, zone=zone, now=now or timezone.now())
    return [f"{event.title}: {event.words}".removesuffix(": ") for event in events]


def test_a_top_up_that_was_paid(account: Account) -> None:
    payer = scenes.make_member(account, email="layla@muscat.test")
    start = timezone.now()
    transaction = make_transaction(
        account,
        status=Status.PROCESSING,
        amount="50.00",
        created_at=start,
        asked_at=start,
        opened_by=payer,
    )
    scenes.pay(transaction, now=start + MINUTE)
    outbox.deliver_due(now=start + 2 * MINUTE)

    transaction.refresh_from_db()
    assert story(transaction) == [
        "Opened by layla@muscat.test: $50.00, charged as OMR 19.250.",
        "Sent to the bank: To be charged to Visa ending 4242.",
        f"Paid: OMR 19.250 was charged to Visa ending 4242. Receipt {transaction.receipt_number}.",
        "Credited: $50.00 was added. Your balance was $50.00 after that.",
        f"The receipt was sent: {account.contact_email}",
    ]


def test_a_refill_that_was_declined(account: Account) -> None:
    make_card(account, is_default=True)
    scenes.switch_refill_on(account)
    transaction = make_transaction(
        account, status=Status.PROCESSING, purpose=Purpose.AUTO_REFILL, amount="50.00"
    )
    declined = Payment(
        Outcome.DECLINED,
        failure_code="insufficient_funds",
        failure_message="The card has insufficient funds.",
    )
    settlement.settle(transaction_id=transaction.pk, payment=declined, now=NOW + MINUTE)

    assert story(transaction) == [
        "Opened by Auto-Refill: $50.00, charged as OMR 19.250.",
        "Failed: The card has insufficient funds. Nothing was charged.",
    ]


def test_a_late_success_has_failed_before(account: Account) -> None:
    transaction = make_transaction(account, status=Status.FAILED, amount="50.00")
    scenes.pay(transaction, now=NOW + MINUTE)

    titles = [line.partition(":")[0] for line in story(transaction)]
    assert titles == ["Opened", "Failed", "Paid", "Credited"]
    assert "Failed: It was paid after all, as said below." in story(transaction)


def test_a_payment_page_waits_and_expires(account: Account) -> None:
    transaction = make_transaction(
        account,
        status=Status.CHECKOUT,
        amount="25.00",
        card_brand="",
        card_last4="",
        created_at=NOW,
        expires_at=NOW + 60 * MINUTE,
        failure_message="The card has expired.",
    )

    assert story(transaction, now=NOW + MINUTE)[1:] == [
        "Stripe's payment page was opened",
        "Waiting to be paid on Stripe's page: The card has expired. "
        "It can be paid until Nov 23, 2026, 14:30.",
    ]
    assert story(transaction, now=NOW + 61 * MINUTE)[-1] == (
        "The payment page expired: Nothing was charged."
    )


def test_a_payment_that_waits_for_its_customer_says_until_when(account: Account) -> None:
    transaction = make_transaction(
        account,
        status=Status.PROCESSING,
        stripe_payment_intent_id="pi_1",
        confirmable_until=NOW + 15 * MINUTE,
    )

    assert story(transaction, now=NOW)[-1] == (
        "Waiting for you to confirm it with your bank: "
        "Until Nov 23, 2026, 13:45. Nothing was charged so far."
    )
    assert story(transaction, now=NOW + 16 * MINUTE)[-1] == "Waiting for the bank"


def credited(account: Account) -> Transaction:
    """A top-up of 25 dollars."""
    paid = make_transaction(account, amount="25.00", created_at=NOW - MINUTE)
    ledger.post(
        account_id=account.pk,
        kind=EntryKind.TOP_UP,
        amount=paid.net_amount.amount,
        description="Credit top-up",
        now=NOW,
        transaction=paid,
    )
    return paid


def test_what_went_back_is_told_with_its_credit(account: Account) -> None:
    payment = credited(account)
    note = refund(payment, 3850).credit_note_number
    dispute(payment, "opened", "won")

    assert story(payment)[-4:] == [
        "A refund of $9.99 began",
        f"Refunded: OMR 3.850 went back to the card. Credit note {note}. "
        "$9.99 of credit left your wallet.",
        "Your bank disputed $15.01: $15.01 of credit left your wallet meanwhile.",
        "The payment stands: $15.01 of credit is back in your wallet.",
    ]


def test_an_inquiry_moves_nothing(account: Account) -> None:
    payment = credited(account)
    dispute(payment, "inquiry", "dismissed")

    assert story(payment)[-2:] == [
        "Your bank asked about this payment: Nothing has changed; we answer it.",
        "Your bank closed the question",
    ]


def test_the_page_tells_it_with_few_queries(
    account: Account, sign_in: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    payment = credited(account)
    refund(payment, 3850)
    dispute(payment, "opened")
    client = sign_in(account)

    with django_assert_max_num_queries(12):
        html = client.get(f"/billing/history/{payment.number}/").content.decode()

    assert "Your bank disputed $15.01" in html
