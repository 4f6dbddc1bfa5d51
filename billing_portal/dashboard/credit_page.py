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
from accounts.money import format_omr, format_unit_price, format_usd_in_words
from accounts.recorded_words import translated
from billing_portal.dashboard.credit_forms import CreditFilterForm
from billing_portal.dashboard.cursors import ByNumber, page_of
from billing_portal.dashboard.rows import Fact
from billing_portal.dashboard.statement_usage import usage_by_feature
from billing_portal.dashboard.times import Moment, moment
from plans.models import UsageRecord
from wallet import ledger_by_time, statements
from wallet.models import Entry, EntryKind, Wallet
from wallet.statements import MonthTotals

PAGE_SIZE: Final = 50


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
    href: str
    is_chosen: bool
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
    """The months of a year; of the chosen one, the newest first, its usage by feature."""

    years: tuple[Choice, ...]
    rows: tuple[MonthRow, ...]
    chosen: str = ""
    parts: tuple[Fact, ...] = ()
    parts_total: str = ""


def filter_entries(account: Account, filters: Mapping[str, Any]) -> QuerySet[Entry]:
    """Return the account's entries that match; days are the account's own.

    `filters` may have `kind` (of EntryKind, or `credit`: all but usage), `date_from`, `date_to` and
    `record`, the whole id of a usage record.
    """
    found = Entry.objects.filter(account=account)
    if filters.get("record"):
        found = _of_record(found, account, filters["record"])
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


def _of_record(found: QuerySet[Entry], account: Account, record_id: str) -> QuerySet[Entry]:
    """Keep what a record took. Entries have no index by records: the record says when it was."""
    record = UsageRecord.objects.filter(account=account, record_id=record_id).first()
    if record is None:
        return found.none()
    return ledger_by_time.between(
        found.filter(usage_id=record_id),
        account_id=account.pk,
        since=record.recorded_at,
        until=record.recorded_at + timedelta(microseconds=1),
    )


def build_ledger(
    *, account: Account, form: CreditFilterForm, before: str = "", after: str = ""
) -> Ledger:
    """Compose the page of entries older than number `before`, or newer than `after`."""
    form.is_valid()
    filters = {name: value for name, value in form.cleaned_data.items() if value}
    query = {name: str(value) for name, value in filters.items()}
    here, export = reverse("credit"), reverse("credit-export")
    page = page_of(
        filter_entries(account, filters).select_related("transaction"),
        before=before,
        after=after,
        size=PAGE_SIZE,
        here=here,
        query=query,
        order=ByNumber("sequence"),
    )
    wallet = Wallet.objects.get(account=account)
    return Ledger(
        balance=format_usd_in_words(wallet.balance),
        rows=tuple(_row(entry, account) for entry in page.rows),
        is_filtered=bool(query),
        note=_note(len(page.rows)),
        clear_href=here if query and page.rows else "",
        export_href=f"{export}?{urlencode(query)}" if query else export,
        has_previous=page.has_previous,
        has_next=page.has_next,
        previous_href=page.previous_href,
        next_href=page.next_href,
    )


def build_months(*, account: Account, year: str, month: str, now: datetime) -> Months:
    """Compose the months of `year`; of this one when it is none that the ledger knows.

    `month` (`2026-11`) is the one that is shown by feature: else the newest of the year.
    """
    begun = statements.first_month(account=account)
    if begun is None:
        return Months(years=(), rows=())
    this_year = now.astimezone(account.timezone).year
    years = range(this_year, begun.year - 1, -1)
    chosen = int(year) if year.isdecimal() and len(year) == 4 and int(year) in years else this_year
    here = reverse("credit-statements")
    totals = statements.months(account=account, year=chosen, now=now)
    shown = next((each for each in totals if each.month.slug == month), totals[0])
    parts = usage_by_feature(account=account, totals=shown)
    return Months(
        years=tuple(
            Choice(label=str(each), href=f"{here}?year={each}", is_current=each == chosen)
            for each in years
        ),
        rows=tuple(_month_row(each, is_chosen=each is shown) for each in totals),
        chosen=write_month(shown.month.first_day),
        parts=tuple(Fact(part.name, format_unit_price(part.amount)) for part in parts),
        parts_total=format_unit_price(shown.usage.amount),
    )


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


def _month_row(totals: MonthTotals, *, is_chosen: bool) -> MonthRow:
    month = totals.month
    query = urlencode({"year": month.first_day.year, "month": month.slug})
    return MonthRow(
        name=write_month(month.first_day),
        href=f"{reverse('credit-statements')}?{query}",
        is_chosen=is_chosen,
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
