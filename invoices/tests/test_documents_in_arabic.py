"""Receipts and credit notes in Arabic: right to left, figures and names as they are written."""

import io
import unicodedata
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.utils import translation
from pypdf import PdfReader

from accounts.models import Account
from accounts.tests.factories import make_account
from invoices import receipts
from invoices.models import Transaction
from invoices.tests.factories import LineSpec, make_transaction

pytestmark = pytest.mark.django_db

MUSCAT_FREIGHT = "شركة مسقط للشحن"


@pytest.fixture
def account() -> Account:
    return make_account(name=MUSCAT_FREIGHT, timezone="Asia/Muscat", country="OM")


@pytest.fixture
def transaction(account: Account) -> Transaction:
    return make_transaction(
        account,
        lines=[
            LineSpec(description="Growth plan", amount=Decimal("99.00")),
            LineSpec(description="Unused: Starter plan", amount=Decimal("-14.50")),
        ],
    )


def drawn(render: Callable[[], bytes]) -> str:
    """Return what is drawn in Arabic, its joined shapes turned back into letters."""
    with translation.override("ar"):
        page = PdfReader(io.BytesIO(render())).pages[0].extract_text()
    return unicodedata.normalize("NFKC", page)


def test_a_receipt_is_in_the_readers_words(transaction: Transaction) -> None:
    text = drawn(lambda: receipts.render(transaction))

    for word in ("إيصال", "مدفوع", "باقة", "النمو", "الإجمالي", "نوفمبر", MUSCAT_FREIGHT):
        assert word in text
    for figure in ("$84.50", "−$14.50", transaction.receipt_number or "", transaction.number):
        assert figure in text
    assert "Growth" not in text
    assert "Receipt" not in text
    assert "\ufffd" not in text


def test_the_english_one_is_as_it_was(transaction: Transaction) -> None:
    before = receipts.render(transaction)
    drawn(lambda: receipts.render(transaction))
    assert receipts.render(transaction) == before
