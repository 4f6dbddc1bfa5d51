"""The PDF receipt, read back as text.

Arabic comes back from a PDF in the joined shapes it was drawn with (U+FExx), which NFKC turns
into the letters they stand for.
"""

import io
import logging
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings, settings
from pypdf import PdfReader

from accounts.models import Account
from accounts.tests.factories import NOW, make_account
from invoices import charging, documents, receipts
from invoices.charging import NewLine
from invoices.models import Purpose, Status, Transaction
from invoices.settlement import billing_details
from invoices.tests.factories import LineSpec, make_transaction

pytestmark = pytest.mark.django_db

MUSCAT_FREIGHT = "شركة مسقط للشحن"


def pages_of(transaction: Transaction) -> list[str]:
    """Return what a reader of the receipt sees, page by page."""
    reader = PdfReader(io.BytesIO(receipts.render(transaction)))
    return [unicodedata.normalize("NFKC", page.extract_text()) for page in reader.pages]


def text_of(transaction: Transaction) -> str:
    """Return the whole receipt as text with single spaces."""
    return " ".join(" ".join(pages_of(transaction)).split())


@pytest.fixture
def account() -> Account:
    return make_account(
        name="Muscat Freight",
        billing_name="Muscat Freight LLC",
        timezone="Asia/Muscat",
        address_line1="Building 12, Way 3401",
        address_line2="Office 7",
        city="Muscat",
        country="OM",
        tax_number="OM1100012345",
        receipt_email="finance@muscat.test",
    )


def test_a_receipt_says_who_sold_what_to_whom_and_how_it_was_paid(account: Account) -> None:
    transaction = make_transaction(
        account,
        number="T-2026-77",
        receipt_number="BT-000042",
        paid_at=datetime(2026, 11, 23, 21, 5, tzinfo=UTC),
        lines=[
            LineSpec(
                description="Growth plan",
                amount=Decimal("91.50"),
                period_start=datetime(2026, 11, 22, 21, 0, tzinfo=UTC),
                period_end=datetime(2026, 12, 22, 21, 0, tzinfo=UTC),
            ),
            LineSpec(
                description="Phone number",
                quantity=Decimal(3),
                unit_price=Decimal("2.50"),
                amount=Decimal("7.50"),
            ),
        ],
    )

    text = text_of(transaction)

    for part in (
        "Receipt",
        "No. BT-000042",
        "Transaction T-2026-77",
        # 21:05 in UTC is already the next day in Muscat.
        "Paid 24 November 2026 01:05, Asia/Muscat time",
        "Badal Technologies Muscat, Sultanate of Oman billing@badal.example",
        "Billed to Muscat Freight LLC Building 12, Way 3401 Office 7 Muscat Oman "
        "Tax number OM1100012345 finance@muscat.test",
        "PAID · Visa ending 4242",
        "Growth plan 23 Nov – 23 Dec 2026 1 $91.50 $91.50",
        "Phone number 3 $2.50 $7.50",
        "Total USD $99.00",
        "Charged OMR 38.120 at 1 USD = 0.385 OMR",
        "Page 1 of 1",
    ):
        assert part in text


def test_what_is_sold_with_tax_is_a_tax_invoice(account: Account, settings: LazySettings) -> None:
    """$106.50 net and 5 % of it: $5.33 (5.325), OMR 2.052 (2.05205) of tax."""
    settings.CHARGE_TAX = True
    settings.SELLER = {**settings.SELLER, "tax_number": "OM1100000001"}
    lines = [
        NewLine("Growth plan", Decimal("99.00")),
        NewLine(
            "Phone number (5 held, 2 included)",
            Decimal("7.50"),
            quantity=Decimal(3),
            unit="number",
            unit_price=Decimal("2.50"),
            period_start=datetime(2026, 12, 12, tzinfo=UTC),
            period_end=datetime(2027, 1, 12, tzinfo=UTC),
        ),
    ]
    opened = charging.open_transaction(
        account=account, purpose=Purpose.TOP_UP, lines=lines, status=Status.CHECKOUT, now=NOW
    )

    text = text_of(pay(opened))

    for part in (
        "Tax invoice",
        "Tax number OM1100000001",
        "Tax number OM1100012345",
        "Growth plan 1 $99.00 $99.00",
        "Phone number (5 held, 2 included) 12 Dec 2026 – 12 Jan 2027 3 numbers $2.50 $7.50",
        "Net $106.50 VAT 5 % (OMR 2.052) $5.33 Total USD $111.83",
        "Charged OMR 43.050 at 1 USD = 0.385 OMR",
    ):
        assert part in text
    assert text.count("VAT") == 1


def pay(transaction: Transaction) -> Transaction:
    """Bring an open transaction to paid, as settling does."""
    Transaction.objects.filter(pk=transaction.pk).update(
        status=Status.PAID,
        paid_at=NOW,
        stripe_payment_intent_id="pi_tax",
        receipt_number="BT-000042",
        seller=settings.SELLER,
        billed_to=billing_details(transaction.account),
    )
    transaction.refresh_from_db()
    return transaction


def test_a_credited_line_is_shown_with_a_minus(account: Account) -> None:
    transaction = make_transaction(
        account,
        lines=[
            LineSpec(description="Growth plan", amount=Decimal("99.00")),
            LineSpec(description="Unused days of Starter", amount=Decimal("-0.55")),
        ],
    )

    text = text_of(transaction)

    assert "Unused days of Starter 1 −$0.55 −$0.55" in text
    assert "Total USD $98.45" in text


def test_the_seller_is_a_setting(account: Account, settings: LazySettings) -> None:
    settings.SELLER = {
        **settings.SELLER,
        "name": "Badal Europe",
        "address": "1 Harbour Road, Dublin",
        "country": "Ireland",
        "tax_number": "IE1234567X",
    }

    text = text_of(make_transaction(account))

    assert "Badal Europe 1 Harbour Road, Dublin, Ireland Tax number IE1234567X" in text


def test_an_account_without_billing_details_is_billed_by_its_name() -> None:
    account = make_account(name="Nizwa Dates", owner_email="owner@nizwa.test")

    text = text_of(make_transaction(account, card_brand="", card_last4=""))

    assert "Billed to Nizwa Dates owner@nizwa.test PAID Description" in text
    assert "UTC time" in text


@pytest.mark.parametrize("status", [Status.CHECKOUT, Status.PROCESSING, Status.FAILED])
def test_only_a_paid_transaction_has_a_receipt(account: Account, status: Status) -> None:
    with pytest.raises(receipts.NotPaid):
        receipts.render(make_transaction(account, status=status))


def test_the_same_transaction_gives_the_same_bytes(account: Account) -> None:
    transaction = make_transaction(account)
    first = receipts.render(transaction)
    receipts.render(make_transaction(account, amount="10.00"))

    assert receipts.render(Transaction.objects.get(pk=transaction.pk)) == first


def test_the_file_is_named_after_the_receipt(account: Account) -> None:
    transaction = make_transaction(account, receipt_number="BT-000007")

    assert receipts.filename(transaction) == "receipt-BT-000007.pdf"


@pytest.mark.parametrize("character", list("—–−×•₹€£﷼→≤…“”ŁóñŞёΩễ"))
def test_characters_of_names_and_prices_survive(account: Account, character: str) -> None:
    assert documents.legible(f"a{character}b") == f"a{character}b"

    transaction = make_transaction(
        account, lines=[LineSpec(description=f"a{character}b", amount=Decimal(1))]
    )

    assert unicodedata.normalize("NFKC", f"a{character}b") in text_of(transaction)


def test_arabic_is_joined_and_runs_from_right_to_left() -> None:
    transaction = make_transaction(
        make_account(name=MUSCAT_FREIGHT),
        lines=[LineSpec(description="Balance in ر.ع.", amount=Decimal(1))],
    )

    drawn = PdfReader(io.BytesIO(receipts.render(transaction))).pages[0].extract_text()

    assert "\ufeb7\ufeae\ufedb\ufe94" in drawn  # شركة: initial, final, initial, final forms
    text = unicodedata.normalize("NFKC", drawn)
    assert MUSCAT_FREIGHT in text
    assert "ر" in text
    assert "ع" in text


@pytest.mark.parametrize(
    ("name", "from_left_to_right"),
    [("شركة Acme", ["Acme", "شركة"]), ("Acme شركة", ["Acme", "شركة"]), ("شركة", ["شركة"])],
)
def test_a_name_of_two_scripts_is_drawn_in_the_order_of_its_first_letter(
    name: str, from_left_to_right: list[str]
) -> None:
    drawn: list[tuple[float, str]] = []

    def note(text: str, _user: list[float], matrix: list[float], *_font: object) -> None:
        word = unicodedata.normalize("NFKC", text).strip()
        if word in ("Acme", "شركة"):
            drawn.append((matrix[4], word))

    transaction = make_transaction(make_account(name=name))
    PdfReader(io.BytesIO(receipts.render(transaction))).pages[0].extract_text(visitor_text=note)

    assert [word for _, word in sorted(drawn)] == from_left_to_right


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("中文 Trading", "�� Trading"),
        ("Party 🎉", "Party �"),
        ("Heart ❤\ufe0f", "Heart �"),
        ("Twins 👩\u200d👩", "Twins ��"),
        ("tab\tand\nline", "tab and line"),
        ("bell\x07", "bell"),
        ("evil \u202ereversed", "evil reversed"),
        ("Cafe\u0301", "Café"),
    ],
)
def test_what_no_font_has_is_shown_as_a_gap(written: str, shown: str) -> None:
    assert documents.legible(written) == shown

    transaction = make_transaction(
        make_account(), lines=[LineSpec(description=written, amount=Decimal(1))]
    )

    assert shown in text_of(transaction)


def test_markup_in_a_name_is_printed_as_it_was_written(caplog: pytest.LogCaptureFixture) -> None:
    name = '<b>Acme & Sons</b> <img src="/etc/passwd"> {{ number }} <pdf:nextpage>'

    with caplog.at_level(logging.WARNING):
        text = text_of(make_transaction(make_account(name=name)))

    assert name in text
    assert not [record for record in caplog.records if record.name.startswith("xhtml2pdf")]


@pytest.mark.parametrize(
    "address", ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/x.png", "data:text/css,x"]
)
def test_a_receipt_fetches_nothing(address: str) -> None:
    with pytest.raises(PermissionError):
        documents._only_the_logo(address, None)


def test_a_name_longer_than_a_line_wraps_within_the_page() -> None:
    name = "Verylongname" * 16
    transaction = make_transaction(make_account(name=name))
    page = PdfReader(io.BytesIO(receipts.render(transaction))).pages[0]

    text = page.extract_text()

    assert name not in text
    assert name in text.replace("\n", "").replace(" ", "")


def test_many_lines_go_on_under_the_same_header_on_every_page(account: Account) -> None:
    lines = [
        LineSpec(description=f"Extra {number} of a long month", amount=Decimal("1.00"))
        for number in range(1, 101)
    ]

    pages = pages_of(make_transaction(account, lines=lines))

    assert len(pages) > 3
    for number, page in enumerate(pages, start=1):
        assert " ".join(page.split()).count("Description Quantity Unit price Amount") == 1
        assert f"Page {number} of {len(pages)}" in page
    assert all(any(f"Extra {n} of" in page for page in pages) for n in range(1, 101))
    assert "$100.00" in pages[-1]


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        ("2026-11-23T00:00", "2026-12-23T00:00", "23 Nov – 23 Dec 2026"),
        ("2026-12-31T00:00", "2027-01-31T00:00", "31 Dec 2026 – 31 Jan 2027"),
        # 20:00 in UTC is midnight in Muscat, and there already next year.
        ("2026-12-31T20:00", "2027-01-31T20:00", "1 Jan – 1 Feb 2027"),
        (None, None, ""),
    ],
)
def test_a_period_is_written_in_days_of_the_account(
    start: str | None, end: str | None, shown: str
) -> None:
    moments = [
        datetime.fromisoformat(moment).replace(tzinfo=UTC) if moment else None
        for moment in (start, end)
    ]

    assert documents.period(*moments, timezone=ZoneInfo("Asia/Muscat")) == shown


def test_a_receipt_keeps_its_dates_when_the_customer_moves(account: Account) -> None:
    transaction = make_transaction(
        account,
        number="T-1",
        receipt_number="BT-000042",
        paid_at=datetime(2026, 12, 31, 21, 5, tzinfo=UTC),
    )
    before = receipts.render(transaction)
    assert "1 January 2027" in text_of(transaction)

    Account.objects.filter(pk=account.pk).update(timezone="America/New_York")

    assert receipts.render(Transaction.objects.get(pk=transaction.pk)) == before
