"""Credit: the wallet's statement, entry by entry, and month by month."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.dates import write_month
from accounts.days import midnight
from accounts.models import Account
from accounts.money import format_omr, format_unit_price, format_usd
from accounts.recorded_words import translated
from billing_portal.dashboard.credit_forms import CreditFilterForm
from billing_portal.dashboard.times import Moment, moment
from wallet import ledger_by_time, statements
from wallet.models import Entry, EntryKind, Wallet
from wallet.statements import MonthTotals

PAGE_SIZE: Final = 50
#: What a column of numbers holds.
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True)
class EntryRow:
    """One line of the ledger."""

    sequence: int
    created: Moment
    kind: str
    description: str
    href: str
    note: str
    amount: str
    balance_after: str


@dataclass(frozen=True)
class Ledger:
    """One page of the statement."""

    balance: str
    rows: tuple[EntryRow, ...]
    is_filtered: bool
    note: str
    clear_href: str
    export_href: str
    has_previous: bool
    has_next: bool
    previous_href: str
    next_href: str


@dataclass(frozen=True)
class MonthRow:
    """A month in figures that add up, to the millionth: opening + added + usage = closing."""

    name: str
    is_closed: bool
    opening: str
    credit: str
    usage: str
    calls: str
    closing: str
    pdf_href: str
    csv_href: str


@dataclass(frozen=True)
class Choice:
    """A year that may be looked at."""

    label: str
    href: str
    is_current: bool


@dataclass(frozen=True)
class Months:
    """The months of a year."""

    years: tuple[Choice, ...]
    rows: tuple[MonthRow, ...]


def filter_entries(account: Account, filters: Mapping[str, Any]) -> QuerySet[Entry]:
    """Return the account's entries that match; days are the account's own.

    `filters` may have `kind` (of EntryKind, or `credit`: all but usage), `date_from`, `date_to`.
    """
    found = Entry.objects.filter(account=account)
    if filters.get("kind") == "credit":
        found = found.exclude(kind=EntryKind.USAGE)
    elif filters.get("kind"):
        found = found.filter(kind=filters["kind"])
    first, last, zone = filters.get("date_from"), filters.get("date_to"), account.timezone
    return ledger_by_time.between(
        found,
        account_id=account.pk,
        since=midnight(first, timezone=zone) if first else None,
        until=midnight(last + timedelta(days=1), timezone=zone) if last else None,
    )


def build_ledger(
    *, account: Account, form: CreditFilterForm, before: str = "", after: str = ""
) -> Ledger:
    """Compose the page of entries older than number `before`, or newer than `after`."""
    form.is_valid()
    filters = {name: value for name, value in form.cleaned_data.items() if value}
    query = {name: str(value) for name, value in filters.items()}
    rows, has_previous, has_next = _page(
        filter_entries(account, filters), before=_number(before), after=_number(after)
    )
    here, export = reverse("credit"), reverse("credit-export")
    wallet = Wallet.objects.get(account=account)
    return Ledger(
        balance=format_usd(wallet.balance),
        rows=tuple(_row(entry, account) for entry in rows),
        is_filtered=bool(query),
        note=_note(len(rows)),
        clear_href=here if query and rows else "",
        export_href=f"{export}?{urlencode(query)}" if query else export,
        has_previous=has_previous,
        has_next=has_next,
        previous_href=_href(here, query, after=rows[0].sequence) if rows else here,
        next_href=_href(here, query, before=rows[-1].sequence) if rows else here,
    )


def build_months(*, account: Account, year: str, now: datetime) -> Months:
    """Compose the months of `year`; of this one when it is none that the ledger knows."""
    begun = statements.first_month(account=account)
    if begun is None:
        return Months(years=(), rows=())
    this_year = now.astimezone(account.timezone).year
    years = range(this_year, begun.year - 1, -1)
    chosen = int(year) if year.isdecimal() and len(year) == 4 and int(year) in years else this_year
    here = reverse("credit-statements")
    return Months(
        years=tuple(
            Choice(label=str(each), href=f"{here}?year={each}", is_current=each == chosen)
            for each in years
        ),
        rows=tuple(
            _month_row(totals)
            for totals in statements.months(account=account, year=chosen, now=now)
        ),
    )


def _page(
    found: QuerySet[Entry], *, before: int | None, after: int | None
) -> tuple[list[Entry], bool, bool]:
    found = found.select_related("transaction")
    if after is not None:
        rows = list(found.filter(sequence__gt=after).order_by("sequence")[: PAGE_SIZE + 1])
        return rows[:PAGE_SIZE][::-1], len(rows) > PAGE_SIZE, bool(rows)
    if before is not None:
        found = found.filter(sequence__lt=before)
    rows = list(found.order_by("-sequence")[: PAGE_SIZE + 1])
    return rows[:PAGE_SIZE], before is not None and bool(rows), len(rows) > PAGE_SIZE


def _number(cursor: str) -> int | None:
    """Read a place in the ledger; None for one that is empty or was tampered with."""
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > 19:
        return None
    return min(int(cursor), _LARGEST)


def _href(here: str, query: Mapping[str, str], **cursor: int) -> str:
    return f"{here}?{urlencode({**query, **cursor})}"


def _row(entry: Entry, account: Account) -> EntryRow:
    payment = entry.transaction
    href, note = "", ""
    if payment is not None:
        href = reverse("billing-history-detail", args=[payment.number])
        note = f"{payment.receipt_number or payment.number} · " + format_omr(
            payment.charged_amount.amount
        )
    elif entry.usage_id:
        href = f"{reverse('usage-history')}?{urlencode({'record': entry.usage_id})}"
    return EntryRow(
        sequence=entry.sequence,
        created=moment(entry.created_at, account.timezone),
        kind=str(EntryKind(entry.kind).label),
        description=translated(entry.description),
        href=href,
        note=note,
        amount=format_unit_price(entry.amount),
        balance_after=format_unit_price(entry.balance_after),
    )


def _month_row(totals: MonthTotals) -> MonthRow:
    month = totals.month
    return MonthRow(
        name=write_month(month.first_day),
        is_closed=totals.is_closed,
        opening=format_unit_price(totals.opening.amount),
        credit=format_unit_price(totals.credit.amount),
        usage=format_unit_price(totals.usage.amount),
        calls=ngettext("%(count)s charge", "%(count)s charges", totals.usage.count)
        % {"count": f"{totals.usage.count:,}"},
        closing=format_unit_price(totals.closing.amount),
        pdf_href=reverse("credit-statement-pdf", args=[month.first_day]),
        csv_href=reverse("credit-statement-csv", args=[month.first_day]),
    )


def _note(shown: int) -> str:
    """Say how many lines are shown, also to whom the page is read aloud."""
    if not shown:
        return _("No entry matches.")
    return ngettext("%(count)d entry shown.", "%(count)d entries shown, newest first.", shown) % {
        "count": shown
    }
