"""Month statements: figures by hand, months that join, days that add up."""

import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation
from pypdf import PdfReader

from accounts.models import Account
from accounts.tests.factories import make_account
from wallet import ledger, statement_documents, statements
from wallet.models import Entry, EntryKind, Wallet
from wallet.statements import Balance, Movement, Statement, UsagePart

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def moved(account: Account, amount: str, at: str, kind: EntryKind = EntryKind.USAGE) -> None:
    """Write an entry as of a moment in UTC."""
    wallet = Wallet.objects.get(account=account)
    Entry.objects.create(
        account=account,
        wallet=wallet,
        sequence=wallet.last_sequence + 1,
        kind=kind,
        amount=Decimal(amount),
        balance_after=wallet.balance + Decimal(amount),
        description="Of the example",
        usage_id=f"call-{at}" if kind == EntryKind.USAGE else "",
        created_at=datetime.fromisoformat(f"{at}+00:00"),
    )


@pytest.fixture
def alice() -> Account:
    """Alice's wallet in Muscat, four hours ahead: $50 in September, calls in October, a refund."""
    account = make_account(timezone="Asia/Muscat")
    ledger.open_wallet(account=account, now=datetime(2026, 9, 1, tzinfo=UTC))
    moved(account, "50", "2026-09-10T08:00", EntryKind.REFUND)
    moved(account, "-1.25", "2026-09-30T19:59")  # one minute before midnight in Muscat
    moved(account, "-0.700001", "2026-09-30T20:00")  # October has begun there
    moved(account, "-2", "2026-10-15T10:00")
    moved(account, "-3.3", "2026-10-15T12:00")
    moved(account, "-10", "2026-10-20T12:00", EntryKind.REFUND)
    moved(account, "-0.5", "2026-11-02T12:00")
    return account


def test_alices_october_adds_up_by_hand(alice: Account) -> None:
    october = statements.month_of(date(2026, 10, 9), timezone=alice.timezone)
    found = statements.statement(account=alice, month=october, now=NOW)
    assert found.totals.opening == Balance(2, Decimal("48.75"))
    assert found.totals.closing == Balance(6, Decimal("32.749999"))
    assert found.by_kind == {
        EntryKind.USAGE: Movement(3, Decimal("-6.000001")),
        EntryKind.REFUND: Movement(1, Decimal("-10")),
    }
    assert found.usage_by_day == {
        date(2026, 10, 1): Movement(1, Decimal("-0.700001")),
        date(2026, 10, 15): Movement(2, Decimal("-5.3")),
    }
    assert found.totals.is_closed


def test_each_month_opens_with_what_the_one_before_closed_with(alice: Account) -> None:
    november, october, september = statements.months(account=alice, year=2026, now=NOW)
    assert [each.month.slug for each in (september, october, november)] == [
        "2026-09", "2026-10", "2026-11",
    ]  # fmt: skip
    assert september.opening == Balance(0, Decimal(0))
    assert october.opening == september.closing
    assert november.opening == october.closing
    assert november.closing.amount == Decimal("32.249999")
    assert not november.is_closed
    for month in (september, october, november):
        assert month.opening.amount + month.credit.amount + month.usage.amount == (
            month.closing.amount
        )


def test_a_year_without_entries_has_no_months(alice: Account) -> None:
    assert statements.months(account=alice, year=2025, now=NOW) == []
    assert statements.months(account=make_account(), year=2026, now=NOW) == []


def test_a_month_begins_where_the_clocks_change() -> None:
    lisbon = make_account(timezone="Europe/Lisbon")
    ledger.open_wallet(account=lisbon, now=datetime(2026, 1, 1, tzinfo=UTC))
    moved(lisbon, "20", "2026-02-01T00:00", EntryKind.REFUND)
    moved(lisbon, "-1", "2026-03-31T22:59")  # 23:59, summer time since the 29th
    moved(lisbon, "-2", "2026-03-31T23:00")  # midnight: April
    march = statements.month_of(date(2026, 3, 1), timezone=lisbon.timezone)
    found = statements.statement(account=lisbon, month=march, now=NOW)
    assert found.usage_by_day == {date(2026, 3, 31): Movement(1, Decimal(-1))}


def test_an_entry_by_a_clock_that_lags_stays_in_one_month(alice: Account) -> None:
    moved(alice, "-1", "2026-11-30T20:00:10")  # December in Muscat
    moved(alice, "-1", "2026-11-30T19:59:50")  # written after it, by another process
    later = NOW + timedelta(days=30)
    december, november = statements.months(account=alice, year=2026, now=later)[:2]
    assert november.closing == december.opening == Balance(7, Decimal("32.249999"))
    for number in range(20):
        moved(alice, "-0.01", f"2026-12-02T10:{number:02}")
    again = statements.months(account=alice, year=2026, now=later)[1]
    assert again.closing == november.closing


def test_the_csv_of_a_month_adds_up_to_its_closing_balance(alice: Account) -> None:
    october = statements.month_of(date(2026, 10, 1), timezone=alice.timezone)
    found = statements.statement(account=alice, month=october, now=NOW)
    lines = "".join(statements.statement_csv(account=alice, statement=found)).splitlines()
    cells = [line.split(",") for line in lines[1:]]
    assert cells[0][2:6] == ["Opening balance", "", "", "48.750000"]
    assert cells[-1][2:6] == ["Closing balance", "", "", "32.749999"]
    amounts = [Decimal(each[4]) for each in cells[1:-1]]
    assert len(amounts) == 4
    assert Decimal(cells[0][5]) + sum(amounts) == Decimal(cells[-1][5])
    assert cells[1][1] == "2026-10-01T00:00:00+04:00"


def drawn(account: Account, found: Statement) -> bytes:
    """The PDF, with usage of two features."""
    parts = [
        UsagePart("Call minutes", Decimal("-6")),
        UsagePart("LLM tokens", Decimal("-0.000001")),
    ]
    return statement_documents.render(
        account=account, statement=found, usage_by_feature=parts, now=NOW
    )


def test_the_pdf_is_drawn_in_both_languages(alice: Account) -> None:
    alice.billing_name = "<img src=http://127.0.0.1:9/x> & شركة صحار"
    october = statements.month_of(date(2026, 10, 1), timezone=alice.timezone)
    found = statements.statement(account=alice, month=october, now=NOW)
    for language in ("en", "ar"):
        with translation.override(language):
            first = drawn(alice, found)
            assert first.startswith(b"%PDF")
            assert drawn(alice, found) == first
            # As it is drawn: from right to left, too, the year comes before the month.
            assert "2026-10" in PdfReader(io.BytesIO(first)).pages[0].extract_text()
    assert statement_documents.filename(found) == "statement-2026-10.pdf"


def test_an_amount_of_millions_to_the_millionth_stays_on_one_line(alice: Account) -> None:
    moved(alice, "-1234567.890123", "2026-11-03T12:00", EntryKind.REFUND)
    month = statements.month_of(date(2026, 11, 1), timezone=alice.timezone)
    pdf = drawn(alice, statements.statement(account=alice, month=month, now=NOW))
    text = PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    # Among the sums of each kind, and on the line of its entry.
    assert text.count("−$1,234,567.890123") == 2
    assert text.count("−$1,234,535.640124") == 2
