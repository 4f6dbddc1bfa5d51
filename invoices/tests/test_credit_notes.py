"""The PDF credit note, read back as text; what it shares with a receipt is in test_receipts.py."""

import io
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from djmoney.money import Money
from pypdf import PdfReader
from pytest_django import Settings

from accounts.models import Account
from accounts.money import to_minor_units
from accounts.stripe_objects import RefundOutcome, StripeRefund
from accounts.tests.factories import NOW, make_account
from invoices import credit_notes, refund_settlement
from invoices.models import Refund, Transaction
from invoices.tests.factories import LineSpec, make_transaction
from invoices.tests.test_tax import open_page

pytestmark = pytest.mark.django_db

REFUNDED_AT = datetime(2026, 11, 30, 21, 5, tzinfo=UTC)


@pytest.fixture
def account() -> Account:
    return make_account(
        name="Muscat Freight", billing_name="Muscat Freight LLC", timezone="Asia/Muscat"
    )


def renewal(account: Account, **fields: Any) -> Transaction:
    """A renewal of 99 dollars and two seats, charged 48.120 rials in all."""
    return make_transaction(
        account,
        purpose="renewal",
        lines=[
            LineSpec(description="Growth plan", amount=Decimal(99)),
            LineSpec(
                description="User seats", amount=Decimal(26), quantity=Decimal(2),
                unit_price=Decimal(13),
            ),
        ],
        **fields,
    )  # fmt: skip


def refunded(
    payment: Transaction, rials: str = "", outcome: str = "succeeded", identity: str = "re_1"
) -> Refund:
    """Refund so many rials in Stripe's dashboard: all of the payment, if not said."""
    charged = Money(Decimal(rials), "OMR") if rials else payment.charged_amount
    return refund_settlement.settle(
        transaction_id=payment.pk,
        report=StripeRefund(
            id=identity,
            outcome=RefundOutcome(outcome),
            payment_intent_id=payment.stripe_payment_intent_id,
            amount_minor=to_minor_units(charged),
            currency="omr",
        ),
        now=REFUNDED_AT,
    )


def text_of(refund: Refund) -> str:
    """Return the credit note as text with single spaces."""
    pages = PdfReader(io.BytesIO(credit_notes.render(refund))).pages
    text = " ".join(unicodedata.normalize("NFKC", page.extract_text()) for page in pages)
    return " ".join(text.split())


def test_a_full_refund_takes_back_every_line_of_its_receipt(account: Account) -> None:
    payment = renewal(account, receipt_number="BT-000042", number="T-7K3M-9QWX")
    text = text_of(refunded(payment))
    for shown in (
        "Credit note No. CN-000001",
        "For receipt BT-000042",
        "Transaction T-7K3M-9QWX",
        "Refunded 1 December 2026",
        "01:05, Asia/Muscat time",
        "Billed to Muscat Freight LLC",
        "REFUNDED · Visa ending 4242",
        "Growth plan 1 $99.00 $99.00",
        "User seats 2 $13.00 $26.00",
        "Total credited USD $125.00",
        "Paid back to the card OMR 48.130, of $125.00 paid",
    ):
        assert shown in text


def test_a_part_names_what_it_is_a_part_of(account: Account) -> None:
    text = text_of(refunded(renewal(account), "3.850"))
    assert "Part of: Growth plan, User seats 1 $10.00 $10.00" in text
    assert "Total credited USD $10.00" in text
    assert "Paid back to the card OMR 3.850, of $125.00 paid" in text


def test_tax_is_taken_back_on_a_line_of_its_own(account: Account, settings: Settings) -> None:
    settings.CHARGE_TAX = True
    settings.TAX_RATES = {"OM": Decimal(5)}
    account.country = "OM"
    account.save()
    payment = open_page(account, "100")
    Transaction.objects.filter(pk=payment.pk).update(
        status="paid",
        paid_at=NOW,
        stripe_payment_intent_id="pi_tax",
        receipt_number="BT-000001",
        seller={**settings.SELLER, "tax_number": "OM1100012345"},
        billed_to=make_transaction(account).billed_to,
    )
    payment.refresh_from_db()
    text = text_of(refunded(payment))
    for shown in (
        "Tax credit note No. CN-000001",
        "Tax number OM1100012345",
        "Net $100.00",
        "VAT 5 % (OMR 1.925) $5.00",
        "Total credited USD $105.00",
    ):
        assert shown in text


def test_credit_notes_are_numbered_without_gaps_apart_from_receipts(account: Account) -> None:
    numbers = [refunded(renewal(account), identity=f"re_{n}").credit_note_number for n in "123"]
    assert numbers == ["CN-000001", "CN-000002", "CN-000003"]


def test_a_credit_note_never_changes_whatever_the_customer_changes(account: Account) -> None:
    refund = refunded(renewal(account))
    before = credit_notes.render(refund)
    Account.objects.update(billing_name="Renamed LLC", city="Salalah", timezone="UTC")
    assert credit_notes.render(Refund.objects.get(pk=refund.pk)) == before


def test_the_credit_note_of_a_refund_that_came_back_is_void(account: Account) -> None:
    payment = renewal(account)
    refunded(payment)
    failed = refunded(payment, outcome="failed")
    assert "VOID · the bank did not take this refund" in text_of(failed)
    assert failed.credit_note_number == "CN-000001"


def test_a_refund_that_is_pending_has_none(account: Account) -> None:
    pending = refunded(renewal(account), outcome="pending")
    with pytest.raises(credit_notes.NotRefunded):
        credit_notes.render(pending)
