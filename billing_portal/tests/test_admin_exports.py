"""Taking lists out as files: the totals of the page are those of the file, and it is on record."""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import openpyxl
import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import staff_exports
from accounts.models import Account, AuditEvent, User
from accounts.spreadsheets import CHUNK
from accounts.staff_exports import Selection
from accounts.stripe_objects import RefundOutcome, StripeRefund
from accounts.tests.factories import make_account
from invoices import refund_settlement
from invoices.models import Purpose, Status, Transaction
from invoices.tests.factories import make_transaction
from wallet import ledger
from wallet.models import Entry, EntryKind
from wallet.staff_exports import ENTRIES
from wallet.tests.factories import make_wallet, post_usage

pytestmark = pytest.mark.django_db

OCTOBER = datetime(2026, 10, 15, 12, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 2, 12, tzinfo=UTC)
IN_OCTOBER = {"since": "2026-10-01T00:00:00", "until": "2026-11-01T00:00:00"}
PAGES = {
    "transactions": "/admin/invoices/transaction/export/",
    "entries": "/admin/wallet/entry/export/",
    "refunds": "/admin/invoices/refund/export/",
}


@pytest.fixture
def shop() -> Account:
    """A company in October: $50 paid and $25 declined, calls, $10 refunded; and in November."""
    shop = make_account(name="=Shop(1)")
    make_wallet(shop)
    paid = make_transaction(shop, amount="50.00", created_at=OCTOBER, paid_at=OCTOBER)
    ledger.post(
        account_id=shop.pk,
        kind=EntryKind.TOP_UP,
        amount=Decimal(50),
        description="Credit top-up",
        now=OCTOBER,
        transaction=paid,
    )
    make_transaction(
        shop,
        status=Status.FAILED,
        purpose=Purpose.AUTO_REFILL,
        amount="25.00",
        created_at=OCTOBER,
        failed_at=OCTOBER,
    )
    make_transaction(shop, amount="99.00", created_at=NOVEMBER, paid_at=NOVEMBER)
    post_usage([(shop, "0.123456"), (shop, "7")], now=OCTOBER)
    post_usage([(shop, "1")], now=NOVEMBER)
    refund_settlement.settle(
        transaction_id=paid.pk,
        report=StripeRefund(
            id="re_1",
            outcome=RefundOutcome.SUCCEEDED,
            payment_intent_id=paid.stripe_payment_intent_id,
            amount_minor=3850,
            currency="omr",
        ),
        now=OCTOBER,
    )
    return shop


def signed_in(*codenames: str) -> Client:
    user = User.objects.create_user(f"staff{len(codenames)}@badal.test", "pw", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def finance() -> Client:
    return signed_in(
        *("view_transaction", "view_entry", "view_refund"),
        *("export_transactions", "export_entries", "export_refunds"),
    )


def query_of(wanted: dict[str, str]) -> str:
    return "?" + "&".join(f"{name}={value}" for name, value in wanted.items())


def page_totals(client: Client, table: str, wanted: dict[str, str]) -> list[list[str]]:
    """Return the totals that the page shows, as plain figures."""
    page = client.get(PAGES[table], wanted)
    assert page.status_code == 200
    rows = page.context["totals"]["rows"]
    return [[kind, *(plain(str(figure)) for figure in figures)] for kind, *figures in rows]


def plain(figure: str) -> str:
    text = figure.partition(">")[2].partition("<")[0] if "<" in figure else figure
    return text.replace(",", "")


def csv_of(client: Client, table: str, wanted: dict[str, str]) -> list[list[str]]:
    answer = client.post(PAGES[table] + query_of(wanted), {"format": "csv"})
    assert isinstance(answer, StreamingHttpResponse)
    text = b"".join(cast(Iterable[bytes], answer.streaming_content)).decode()
    return list(csv.reader(io.StringIO(text)))


def csv_totals(rows: list[list[str]], summed: list[str]) -> list[list[str]]:
    """Return the totals below a file's rows: those in the columns that are added up."""
    places = [rows[0].index(title) for title in summed]
    found = []
    for row in rows:
        if row[0].startswith("Total "):
            kind, _, count = row[0].removeprefix("Total ").partition(": ")
            found.append([kind, count, *(row[place] for place in places)])
    return found


def sheets_of(client: Client, table: str, wanted: dict[str, str]) -> tuple[Any, Any]:
    answer = client.post(PAGES[table] + query_of(wanted), {"format": "xlsx"})
    assert isinstance(answer, StreamingHttpResponse)
    content = b"".join(cast(Iterable[bytes], answer.streaming_content))
    book = openpyxl.load_workbook(io.BytesIO(content))
    return book.worksheets[0], book.worksheets[1]


def test_octobers_transactions_add_up_by_hand(shop: Account, finance: Client) -> None:
    rows = csv_of(finance, "transactions", IN_OCTOBER)

    assert [dict(zip(rows[0], row, strict=True))["Status"] for row in rows[1:3]] == [
        "Paid",
        "Failed",
    ]
    # Kind, how many, then net, tax, amount, rials charged, refunded.
    assert csv_totals(rows, list(PAGE_SUMS["transactions"])) == [
        ["Failed, Auto-refill", "1", "25.00", "0.00", "25.00", "9.630", "0.00"],
        ["Paid, Top-up", "1", "50.00", "0.00", "50.00", "19.250", "10.00"],
        ["All", "2", "75.00", "0.00", "75.00", "28.880", "10.00"],
    ]


PAGE_SUMS = {
    "transactions": ("Net USD", "Tax USD", "Amount USD", "Charged OMR", "Refunded USD"),
    "entries": ("Amount USD",),
    "refunds": ("Net USD", "Tax USD", "Amount USD", "To the card OMR"),
}


@pytest.mark.parametrize("table", list(PAGES))
def test_the_files_say_the_totals_of_the_page(shop: Account, finance: Client, table: str) -> None:
    shown = page_totals(finance, table, IN_OCTOBER)
    rows = csv_of(finance, table, IN_OCTOBER)
    _, totals = sheets_of(finance, table, IN_OCTOBER)

    assert csv_totals(rows, list(PAGE_SUMS[table])) == shown
    in_sheet = [list(row) for row in totals.iter_rows(min_row=2, max_row=1 + len(shown))]
    assert [[cell.value for cell in row] for row in in_sheet] == [
        [kind, int(count), *(float(figure) for figure in figures)]
        for kind, count, *figures in shown
    ]


def test_an_empty_period_is_a_file_that_says_so(finance: Client) -> None:
    rows = csv_of(finance, "entries", IN_OCTOBER)
    assert csv_totals(rows, ["Amount USD"]) == [["All", "0", "0"]]
    assert rows[-2][0] == (
        "Period (UTC): posted from 2026-10-01 00:00:00 on and before 2026-11-01 00:00:00"
    )


def test_what_a_customer_calls_itself_is_no_formula_and_amounts_are_numbers(
    shop: Account, finance: Client
) -> None:
    rows = csv_of(finance, "entries", IN_OCTOBER)
    entries, _ = sheets_of(finance, "entries", IN_OCTOBER)

    account, amount = rows[0].index("Account"), rows[0].index("Amount USD")
    assert {row[account] for row in rows[1:5]} == {"'=Shop(1)"}
    assert [row[amount] for row in rows[1:5]] == [
        "50.000000",
        "-0.123456",
        "-7.000000",
        "-10.000000",
    ]
    cells = list(entries.iter_rows(min_row=2))
    assert {row[account].data_type for row in cells} == {"s"}
    assert [row[amount].value for row in cells] == [50, -0.123456, -7, -10]


def test_the_lists_filters_and_its_period_go_along(shop: Account, finance: Client) -> None:
    listed = {
        "status__exact": "paid",
        "created_at_from_0": "2026-10-01",
        "created_at_from_1": "00:00:00",
        "created_at_to_0": "2026-11-01",
        "created_at_to_1": "00:00:00",
    }
    button = finance.get(
        reverse("admin:invoices_transaction_changelist"), {"status__exact": "paid", "q": "Shop"}
    ).content.decode()
    assert f"{PAGES['transactions']}?status__exact=paid&amp;q=Shop" in button

    page = finance.get(PAGES["transactions"], listed)

    assert page.context["filters"] == {"status": "paid"}
    assert [row[0] for row in page.context["totals"]["rows"]] == ["Paid, Top-up", "All"]
    assert page.context["rows"] == 1

    by_payment = finance.get(
        PAGES["transactions"],
        {"time": "paid_at", "since": "2026-11-01T00:00", "until": "2026-12-01T00:00"},
    )
    assert by_payment.context["rows"] == 1


def test_who_took_what_is_on_record(shop: Account, finance: Client) -> None:
    csv_of(finance, "transactions", {**IN_OCTOBER, "status__exact": "paid"})

    event = AuditEvent.objects.get(action="exported")
    assert str(event.actor) == "staff6@badal.test"
    assert event.details == {
        "what": "transactions",
        "format": "csv",
        "period": "created 2026-10-01 00:00:00 to 2026-11-01 00:00:00 UTC",
        "filters": {"status": "paid"},
        "rows": 1,
    }


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"since": "2026-11-01T00:00", "until": "2026-10-01T00:00"}, "has to end after it begins"),
        ({"since": "soon"}, "Enter a valid date/time"),
        ({"time": "colour"}, "Select a valid choice"),
    ],
)
def test_a_period_that_is_none_is_told_and_hands_nothing_out(
    finance: Client, wanted: dict[str, str], said: str
) -> None:
    for answer in (
        finance.get(PAGES["refunds"], wanted),
        finance.post(PAGES["refunds"] + query_of(wanted), {"format": "csv"}),
    ):
        assert answer.status_code == 200
        assert said in answer.content.decode()
    assert not AuditEvent.objects.filter(action="exported").exists()


def test_a_form_or_a_filter_that_there_is_none_of_is_told(finance: Client) -> None:
    answer = finance.post(PAGES["refunds"], {"format": "pdf"})
    assert "Choose CSV or XLSX." in answer.content.decode()
    answer = finance.get(PAGES["refunds"], {"account__id__exact": "nobody"})
    assert answer.status_code == 302
    assert not AuditEvent.objects.filter(action="exported").exists()


def test_more_rows_than_a_spreadsheet_holds_are_csv(
    shop: Account, finance: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staff_exports, "MOST_ROWS_OF_XLSX", 1)
    answer = finance.post(PAGES["transactions"] + query_of(IN_OCTOBER), {"format": "xlsx"})
    assert "Choose a shorter period, or take CSV" in answer.content.decode()
    assert not AuditEvent.objects.filter(action="exported").exists()
    assert len(csv_of(finance, "transactions", IN_OCTOBER)) > 2


@pytest.mark.parametrize("table", list(PAGES))
def test_who_may_only_look_takes_nothing_out(shop: Account, table: str) -> None:
    support = signed_in("view_transaction", "view_entry", "view_refund")
    assert support.get(PAGES[table]).status_code == 403
    for form in ("csv", "xlsx"):
        assert (
            support.post(PAGES[table] + query_of(IN_OCTOBER), {"format": form}).status_code == 403
        )
    listed = PAGES[table].removesuffix("export/")
    assert "Export" not in support.get(listed).content.decode()
    assert not AuditEvent.objects.filter(action="exported").exists()


def test_rows_come_from_the_database_a_thousand_at_a_time(shop: Account) -> None:
    few, all_of_it = (
        Selection(
            export=ENTRIES,
            queryset=Entry.objects.filter(sequence__lte=most),
            time="created_at",
            since=datetime(2026, 1, 1, tzinfo=UTC),
            until=datetime(2027, 1, 1, tzinfo=UTC),
            filters={},
        )
        for most in (1, 10_000)
    )
    post_usage([(shop, "0.01")] * (2 * CHUNK), now=NOVEMBER, name="more")

    with CaptureQueriesContext(connection) as captured:
        lines = staff_exports.as_csv(all_of_it, now=NOVEMBER)
        assert next(lines).startswith("Account,")
        assert not captured.captured_queries
        next(lines)
        assert sum(1 for _ in lines) == 2 * CHUNK + 4 + 4 + 2
    assert len(captured) == 1
    assert staff_exports.totals_of(few)[-1].count == 1
    assert Transaction.objects.count() == 3
