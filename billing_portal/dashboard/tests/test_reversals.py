"""What went back of a payment, on its page: refunds with their credit notes, and disputes."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from accounts.roles import Role
from accounts.stripe_objects import DisputeStage, RefundOutcome, StripeDispute, StripeRefund
from accounts.tests.factories import NOW
from billing_portal.dashboard.tests import scenes
from invoices import disputes, refund_settlement
from invoices.models import Dispute, Purpose, Refund, Transaction
from invoices.tests.factories import make_transaction
from wallet import ledger
from wallet.models import EntryKind

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]


@pytest.fixture
def payment(account: Account) -> Transaction:
    """A top-up of 25 dollars."""
    paid = make_transaction(account, amount="25.00")
    ledger.post(
        account_id=account.pk,
        kind=EntryKind.TOP_UP,
        amount=paid.net_amount.amount,
        description="Credit top-up",
        now=NOW,
        transaction=paid,
    )
    return paid


def refund(payment: Transaction, baisa: int, outcome: str = "succeeded") -> Refund:
    return refund_settlement.settle(
        transaction_id=payment.pk,
        report=StripeRefund(
            id=f"re_{baisa}",
            outcome=RefundOutcome(outcome),
            payment_intent_id=payment.stripe_payment_intent_id,
            amount_minor=baisa,
            currency="omr",
        ),
        now=NOW,
    )


def dispute(payment: Transaction, *stages: str) -> Dispute:
    report = StripeDispute(
        id="du_1",
        stage=DisputeStage.INQUIRY,
        charge_id="ch_1",
        payment_intent_id=payment.stripe_payment_intent_id,
        amount_minor=9630,
        currency="omr",
        reason="fraudulent",
        evidence_due_at=None,
        opened_at=NOW,
    )
    for stage in stages:
        report = replace(report, stage=DisputeStage(stage))
        told = disputes.record(transaction_id=payment.pk, report=report, now=NOW)
    return told


def page_of(client: Client, payment: Transaction) -> str:
    address = reverse("billing-history-detail", args=[payment.number])
    return client.get(address).content.decode()


def note_in_history(client: Client) -> str:
    [row] = client.get(reverse("billing-history")).context["history"].rows
    assert row.status == "Paid"
    return str(row.note)


def test_refunds_are_shown_with_their_credit_notes(
    account: Account, sign_in: SignIn, payment: Transaction
) -> None:
    made = refund(payment, 3850)
    client = sign_in(account)
    text = page_of(client, payment)
    assert "$9.99" in text
    assert "OMR 3.850" in text
    note = reverse("billing-history-credit-note", args=[payment.number, made.credit_note_number])
    assert note in text
    assert note_in_history(client) == "$9.99 refunded"
    assert note in client.get(reverse("billing-history")).content.decode()
    pdf = client.get(note)
    assert pdf["Content-Disposition"] == 'attachment; filename="credit-note-CN-000001.pdf"'
    assert pdf.content.startswith(b"%PDF")
    refund(payment, 5780)
    assert note_in_history(client) == "Refunded"


def test_a_refund_on_its_way_has_no_credit_note_yet_and_one_that_never_left_is_not_shown(
    account: Account, sign_in: SignIn, payment: Transaction
) -> None:
    refund(payment, 3850, "pending")
    client = sign_in(account)
    text = page_of(client, payment)
    assert "On its way" in text
    assert "Credit note" not in text
    refund(payment, 3850, "failed")
    assert "OMR 3.850" not in page_of(client, payment)


def test_a_refund_that_came_back_says_so(
    account: Account, sign_in: SignIn, payment: Transaction
) -> None:
    refund(payment, 3850)
    refund(payment, 3850, "failed")
    client = sign_in(account)
    assert "Came back" in page_of(client, payment)
    assert note_in_history(client) == ""


@pytest.mark.parametrize(
    ("stages", "words", "note"),
    [
        (["inquiry"], "Your bank asked us about this payment. Nothing has changed", ""),
        (["inquiry", "dismissed"], "closed the question", ""),
        (["opened"], "The $25.00 of credit that it bought has left your wallet meanwhile.",
         "Disputed"),
        (["opened", "under_review"], "has taken $25.00 back from us until it decides", "Disputed"),
        (["opened", "lost"], "Your bank decided to return $25.00 to your card.",
         "Returned by the bank"),
        (["opened", "won"], "$25.00 of credit is back in your wallet.",
         "Dispute closed, payment stands"),
        (["won"], "the payment stands.", "Dispute closed, payment stands"),
    ],
)  # fmt: skip
def test_each_stage_of_a_dispute_is_said_in_plain_words(
    account: Account,
    sign_in: SignIn,
    payment: Transaction,
    stages: list[str],
    words: str,
    note: str,
) -> None:
    dispute(payment, *stages)
    client = sign_in(account)
    assert words in page_of(client, payment)
    assert note_in_history(client) == note


def test_a_dispute_of_what_bought_no_credit_speaks_of_none(
    account: Account, sign_in: SignIn
) -> None:
    renewal = make_transaction(account, amount="25.00", purpose=Purpose.RENEWAL)
    dispute(renewal, "opened")
    text = page_of(sign_in(account), renewal)
    assert "has taken $25.00 back from us" in text
    assert "wallet" not in text.split("Dispute of $25.00")[1].split("</section>")[0]


def test_credit_notes_of_others_are_not_found(
    account: Account, sign_in: SignIn, payment: Transaction
) -> None:
    made = refund(payment, 3850)
    address = reverse("billing-history-credit-note", args=[payment.number, made.credit_note_number])
    assert sign_in(account, role=Role.VIEWER).get(address).status_code == 200
    assert sign_in(scenes.make_company()).get(address).status_code == 404
    other = reverse("billing-history-credit-note", args=[payment.number, "CN-999999"])
    assert sign_in(account).get(other).status_code == 404
