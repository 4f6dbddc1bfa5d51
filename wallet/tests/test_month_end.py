"""October of two customers, computed by hand: what the month-end report has to say of it.

At the end of September Muscat Freight holds $20.00 and Sohar Foods owes $3.504. In October

- Muscat pays a top-up of $100.00 + 5 % VAT, an auto-refill of $25.00, a renewal of $99.00 and a
  rental of $10.00; another top-up is declined;
- half of the first top-up goes back, and the bank takes the auto-refill for a dispute;
- Sohar is given $2.00 for dropped calls;
- Muscat uses $0.123456 and $7.000004, Sohar $4.338333.
"""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pypdf import PdfReader

from accounts.models import Account, AuditEvent
from accounts.staff_roles import StaffRole
from accounts.stripe_objects import DisputeStage, RefundOutcome, StripeDispute, StripeRefund
from accounts.tests.factories import make_account, make_staff
from invoices import disputes, refund_settlement
from invoices.models import Purpose, Status, Transaction
from invoices.tests.factories import LineSpec, make_transaction
from wallet import adjustments, ledger, month_end, month_end_documents
from wallet.models import EntryKind
from wallet.month_end import MonthEnd
from wallet.month_end_tables import Value, tables
from wallet.tests.factories import post_usage

pytestmark = pytest.mark.django_db


def on(day: int, month: int = 10) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


NOW = on(10, 11)


def pay(
    account: Account, purpose: Purpose, net: str, now: datetime, *, tax: str = "0"
) -> Transaction:
    lines = [LineSpec(amount=Decimal(net))]
    taxed: dict[str, Any] = {}
    if Decimal(tax):
        lines.append(LineSpec(description="VAT 5 %", amount=Decimal(tax), is_tax=True))
        taxed = {"tax_rate": 5, "tax_amount": Decimal(tax)}
    paid = make_transaction(
        account, purpose=purpose, lines=lines, created_at=now, paid_at=now, **taxed
    )
    kinds = {Purpose.TOP_UP: EntryKind.TOP_UP, Purpose.AUTO_REFILL: EntryKind.AUTO_REFILL}
    if purpose in kinds:
        ledger.post(
            account_id=account.pk,
            kind=kinds[purpose],
            amount=Decimal(net),
            description="Credit",
            now=now,
            transaction=paid,
        )
    return paid


def tell_of_dispute(paid: Transaction, stage: DisputeStage, now: datetime) -> None:
    disputes.record(
        transaction_id=paid.pk,
        report=StripeDispute(
            id="du_1",
            stage=stage,
            charge_id="ch_1",
            payment_intent_id=paid.stripe_payment_intent_id,
            amount_minor=9630,
            currency="omr",
            reason="product_not_received",
            evidence_due_at=on(30),
            opened_at=on(20),
        ),
        now=now,
    )


@pytest.fixture
def refill() -> Transaction:
    """October, and what is disputed of it."""
    muscat, sohar = make_account(name="Muscat Freight"), make_account(name="Sohar Foods")
    for account in (muscat, sohar):
        ledger.open_wallet(account=account, now=on(1, 9))
    pay(muscat, Purpose.TOP_UP, "20.00", on(20, 9))
    post_usage([(sohar, "3.504")], now=on(21, 9))

    top_up = pay(muscat, Purpose.TOP_UP, "100.00", on(3), tax="5.00")
    refill = pay(muscat, Purpose.AUTO_REFILL, "25.00", on(5))
    pay(muscat, Purpose.RENEWAL, "99.00", on(6))
    pay(muscat, Purpose.RENTAL, "10.00", on(6))
    make_transaction(muscat, status=Status.FAILED, created_at=on(7), failed_at=on(7))
    refund_settlement.settle(
        transaction_id=top_up.pk,
        report=StripeRefund(
            id="re_1",
            outcome=RefundOutcome.SUCCEEDED,
            payment_intent_id=top_up.stripe_payment_intent_id,
            amount_minor=20215,
            currency="omr",
        ),
        now=on(10),
    )
    adjustments.adjust(
        account=sohar,
        amount=Decimal("2.00"),
        reason="Dropped calls",
        author=make_staff(StaffRole.FINANCE),
        now=on(12),
    )
    post_usage([(muscat, "0.123456"), (muscat, "7.000004"), (sohar, "4.338333")], now=on(15))
    tell_of_dispute(refill, DisputeStage.OPENED, on(20))
    # The first moment of November is not October's.
    post_usage([(muscat, "1.00")], now=datetime(2026, 11, 1, tzinfo=UTC))
    return refill


def books(month: int = 10, now: datetime = NOW) -> MonthEnd:
    return month_end.month_end(month=month_end.month_of(date(2026, month, 1)), now=now)


def lines_of(report: MonthEnd, title: str) -> dict[str, tuple[Value, ...]]:
    """Return a part's lines; amounts by what they are worth."""
    [table] = [table for table in tables(report) if table.title == title]
    assert not table.problem
    return {row.title: row.values for row in table.rows if any(row.values)}


def usd(*amounts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(amount) for amount in amounts)


@pytest.mark.usefixtures("refill")
def test_revenue_by_kind() -> None:
    found = lines_of(books(), "Revenue by kind, without tax")
    # How many payments, net, refunded, disputed, left, became credit.
    assert found == {
        str(Purpose.TOP_UP.label): (1, *usd("100", "-50", "0", "50", "100")),
        str(Purpose.AUTO_REFILL.label): (1, *usd("25", "0", "-25", "0", "25")),
        str(Purpose.RENEWAL.label): (1, *usd("99", "0", "0", "99", "0")),
        str(Purpose.RENTAL.label): (1, *usd("10", "0", "0", "10", "0")),
        "All": (4, *usd("234", "-50", "-25", "159", "125")),
    }


@pytest.mark.usefixtures("refill")
def test_collected_to_the_baisa_and_vat() -> None:
    # 40.430 + 9.630 + 38.120 + 3.850 rials; then net, VAT and all of it in dollars.
    assert lines_of(books(), "Collected") == {
        "Captured": (4, *usd("234", "5", "239", "92.030")),
        "Refunded": (1, *usd("-50", "-2.50", "-52.50", "-20.215")),
        "Taken by banks for disputes": (1, *usd("-25", "0", "-25", "-9.630")),
        "Collected": (None, *usd("159", "2.50", "161.50", "62.185")),
    }
    assert lines_of(books(), "VAT") == {
        "At 0 %": (3, *usd("109", "0", "0", "0")),
        "At 5 %": (1, *usd("50", "5", "-2.50", "2.50")),
        "All": (4, *usd("159", "5", "-2.50", "2.50")),
    }


@pytest.mark.usefixtures("refill")
def test_credit_rolls_forward_to_the_millionth_and_says_what_rounding_does() -> None:
    report = books()
    assert lines_of(report, "Credit that customers hold") == {
        "Opening": (None, *usd("16.496", "16.50")),
        "Sold: top-ups": (1, *usd("100", "100")),
        "Sold: auto-refills": (1, *usd("25", "25")),
        "Granted by staff, deductions taken back": (1, *usd("2", "2")),
        "Used": (3, *usd("-11.461793", "-11.46")),
        "Taken back with refunds": (1, *usd("-50", "-50")),
        "Taken back with disputes": (1, *usd("-25", "-25")),
        "Rounding to cents": (None, None, Decimal("-0.01")),
        "Closing": (None, *usd("57.034207", "57.03")),
    }
    # Muscat's 62.87654 are owed to it, Sohar owes us the rest.
    assert lines_of(report, "Balances apart") == {
        "Opening: positive balances, which we owe": (1, *usd("20", "20")),
        "Opening: negative balances, which we are owed": (1, *usd("-3.504", "-3.50")),
        "Closing: positive balances, which we owe": (1, *usd("62.87654", "62.88")),
        "Closing: negative balances, which we are owed": (1, *usd("-5.842333", "-5.84")),
    }
    assert report.adds_up
    assert report.is_closed


def test_what_comes_later_does_not_change_a_closed_month(refill: Transaction) -> None:
    before = books()
    tell_of_dispute(refill, DisputeStage.LOST, on(3, 11))
    # A record of October that was told in November.
    post_usage([(refill.account, "0.50")], now=on(4, 11), name="late")

    assert books() == before
    november = books(11)
    assert november.credit.opening == before.credit.closing
    assert lines_of(november, "Credit that customers hold")["Used"][:2] == (2, Decimal("-1.50"))
    [collected] = [table for table in tables(november) if table.title == "Collected"]
    assert "lost in this month: 1, $25.00" in collected.note
    assert november.payments.of().amount == 0
    assert not november.is_closed


def test_a_ledger_that_was_tampered_with_is_a_red_line(refill: Transaction, client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE wallet_entry SET amount = 99 WHERE kind = 'top_up' AND amount = 100")
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")

    report = books()
    assert not report.adds_up
    assert report.credit.difference == 1
    client.force_login(make_staff(StaffRole.AUDITOR))
    page = client.get(reverse("admin:wallet_entry_month_end"), {"month": "2026-10"})
    text = page.content.decode()
    assert "This report does not add up." in text
    assert "Opening and entries come to +1.000000 USD less than closing." in text
    assert "Look at: Muscat Freight." in text
    assert "$1.00 of what was paid did not become credit" in text


@pytest.mark.usefixtures("refill")
def test_page_pdf_and_csv_say_the_same(client: Client) -> None:
    client.force_login(make_staff(StaffRole.FINANCE, "books@badal.test"))
    address = reverse("admin:wallet_entry_month_end")
    page = client.get(address, {"month": "2026-10"}).content.decode()
    pdf = client.get(address, {"month": "2026-10", "form": "pdf"})
    text = " ".join(each.extract_text() for each in PdfReader(io.BytesIO(pdf.content)).pages)
    for figure in ("57.034207", "−11.461793", "62.185", "2.50", "62.876540", "−5.842333"):
        assert figure in page
        assert figure in text
    assert client.get(address, {"month": "2026-10", "form": "csv"}).status_code == 200
    taken = AuditEvent.objects.filter(action="exported", actor__email="books@badal.test")
    assert [event.details for event in taken.order_by("pk")] == [
        {"what": "month-end report", "format": form, "period": "2026-10"} for form in ("pdf", "csv")
    ]
    rows = list(csv.reader(io.StringIO("".join(month_end_documents.csv(books(), now=NOW)))))
    assert ["Closing", "", "57.034207", "57.03"] in rows
    assert ["Used", "3", "-11.461793", "-11.46"] in rows
    assert address in client.get("/admin/wallet/entry/").content.decode()


def test_a_month_without_books_is_told_and_an_empty_one_adds_up(client: Client) -> None:
    client.force_login(make_staff(StaffRole.FINANCE))
    address = reverse("admin:wallet_entry_month_end")
    assert client.get(address, {"month": "1999-01"}).status_code == 302
    assert "to the millionth of a dollar" in client.get(address).content.decode()


def test_support_reads_no_books(client: Client) -> None:
    client.force_login(make_staff(StaffRole.SUPPORT))
    address = reverse("admin:wallet_entry_month_end")
    for form in ("", "pdf", "csv"):
        assert client.get(address, {"form": form}).status_code == 403
        assert client.post(f"{address}?form={form}").status_code == 403
    assert "Month-end report" not in client.get("/admin/").content.decode()
