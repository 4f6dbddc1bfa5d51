"""Month statements of a wallet: what it held, what moved it, what it holds, to the millionth.

A month is the account's own, in its timezone, and holds the entries that were written in it: a late
record is in the month in which it was deducted. Each month closes with what the next opens with.

However many calls a month has, its statement is made from few rows: the ledger says what the wallet
held at any moment, what is no usage is little and has an index, and usage is the rest.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final

from django.db import connection
from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from accounts.days import midnight
from accounts.models import Account
from accounts.recorded_words import translated
from accounts.spreadsheets import CHUNK, csv_lines
from wallet.models import Entry, EntryKind

_NOTHING: Final = Decimal("0.000000")

HEADER: Final = (
    _("Line"),
    _("Date"),
    _("Kind"),
    _("Description"),
    _("Amount USD"),
    _("Balance after USD"),
    _("Payment"),
    _("Receipt number"),
    _("Charged OMR"),
    _("Usage record"),
    _("Feature"),
)


@dataclass(frozen=True)
class Month:
    """A month of an account's calendar: from `starts` on and before `ends`."""

    first_day: date
    starts: datetime
    ends: datetime

    @property
    def slug(self) -> str:
        """`2026-11`."""
        return f"{self.first_day:%Y-%m}"


@dataclass(frozen=True)
class Balance:
    """A place in the ledger: how many entries there were, and what the wallet held (USD)."""

    sequence: int
    amount: Decimal


@dataclass(frozen=True)
class Movement:
    """What entries of a kind, or of a day, came to: how many, and USD, signed."""

    count: int
    amount: Decimal


@dataclass(frozen=True)
class MonthTotals:
    """A month in three figures: opening + `credit` + `usage` = closing (USD)."""

    month: Month
    opening: Balance
    closing: Balance
    credit: Movement
    usage: Movement
    is_closed: bool


@dataclass(frozen=True)
class UsagePart:
    """What usage of one feature came to in a month (USD, signed). Who rates usage tells them."""

    name: str
    amount: Decimal


@dataclass(frozen=True)
class Statement:
    """A month's statement: opening + each kind = closing; usage + by day, only days with some."""

    totals: MonthTotals
    by_kind: dict[EntryKind, Movement]
    usage_by_day: dict[date, Movement]

    @property
    def month(self) -> Month:
        """The month it is of."""
        return self.totals.month


def month_of(day: date, *, timezone: tzinfo) -> Month:
    """Return the month that `day` is in."""
    first = day.replace(day=1)
    following = _month_after(first)
    return Month(first, midnight(first, timezone=timezone), midnight(following, timezone=timezone))


def last_day(month: Month) -> date:
    """Return the day it ends with."""
    return _month_after(month.first_day) - timedelta(days=1)


def months(*, account: Account, year: int, now: datetime) -> list[MonthTotals]:
    """Return the account's months of a year, newest first: from its first entry until now."""
    begun = first_month(account=account)
    if begun is None:
        return []
    today = now.astimezone(account.timezone).date()
    found = [
        month_of(date(year, number, 1), timezone=account.timezone)
        for number in range(1, 13)
        if begun <= date(year, number, 1) <= today
    ]
    if not found:
        return []
    edges = _balances(account, [found[0].starts, *(month.ends for month in found)])
    credit_parts = _credit_between(account, [edge.sequence for edge in edges])
    totals = [
        _totals(month, opening, closing, credit, now=now)
        for month, opening, closing, credit in zip(
            found, edges[:-1], edges[1:], credit_parts, strict=True
        )
    ]
    return totals[::-1]


def first_month(*, account: Account) -> date | None:
    """Return the first day of the month of the account's first entry; None without entries."""
    first = Entry.objects.filter(account=account, sequence=1).values_list("created_at", flat=True)
    at = first.first()
    return None if at is None else at.astimezone(account.timezone).date().replace(day=1)


def statement(*, account: Account, month: Month, now: datetime) -> Statement:
    """Return the statement of a month; one that is not over is not closed."""
    days = list(_days(month))
    moments = [*(midnight(day, timezone=account.timezone) for day in days), month.ends]
    edges = _balances(account, moments)
    credit_parts = _credit_between(account, [edge.sequence for edge in edges])
    usage_by_day = {}
    for day, opening, closing, credit in zip(
        days, edges[:-1], edges[1:], credit_parts, strict=True
    ):
        usage = _usage(opening, closing, credit)
        if usage.count:
            usage_by_day[day] = usage
    credit = Movement(
        sum(c.count for c in credit_parts), sum((c.amount for c in credit_parts), _NOTHING)
    )
    totals = _totals(month, edges[0], edges[-1], credit, now=now)
    by_kind = _by_kind(account, totals)
    if totals.usage.count:
        by_kind[EntryKind.USAGE] = totals.usage
    return Statement(totals=totals, by_kind=by_kind, usage_by_day=usage_by_day)


def credit_entries(*, account: Account, totals: MonthTotals) -> QuerySet[Entry]:
    """Return the month's entries that are no usage, oldest first, each with its payment."""
    entries = _between(account, totals.opening.sequence, totals.closing.sequence)
    return entries.exclude(kind=EntryKind.USAGE).select_related("transaction").order_by("sequence")


def statement_csv(*, account: Account, statement: Statement) -> Iterator[str]:
    """Yield a month's entries as CSV, oldest first, between its opening and closing balance."""
    totals = statement.totals
    entries = _between(account, totals.opening.sequence, totals.closing.sequence)
    found = entries.select_related("transaction").order_by("sequence")
    return csv_lines(header=HEADER, rows=_rows(found, totals, account.timezone))


def entries_csv(entries: QuerySet[Entry], *, timezone: tzinfo) -> Iterator[str]:
    """Yield these entries as CSV, newest first, for a streaming response. One query."""
    found = entries.select_related("transaction").order_by("-sequence")
    rows = (_row(entry, timezone) for entry in found.iterator(chunk_size=CHUNK))
    return csv_lines(header=HEADER, rows=rows)


def _balances(account: Account, moments: Sequence[datetime]) -> list[Balance]:
    """Return what the wallet held at each of the moments."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT place.sequence, coalesce(entry.balance_after, 0.000000)
            FROM unnest(%(moments)s::timestamptz[]) WITH ORDINALITY AS asked (moment, n)
            CROSS JOIN LATERAL entries_before(%(account)s, asked.moment) AS place (sequence)
            LEFT JOIN LATERAL (
                SELECT balance_after FROM wallet_entry
                WHERE account_id = %(account)s AND sequence = place.sequence
            ) AS entry ON true
            ORDER BY asked.n
            """,
            {"account": account.pk, "moments": list(moments)},
        )
        return [Balance(sequence, amount) for sequence, amount in cursor.fetchall()]


def _credit_between(account: Account, edges: Sequence[int]) -> list[Movement]:
    """Return what is no usage between each two neighbours of the places in the ledger."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT credit.entries, coalesce(credit.amount, 0.000000)
            FROM unnest(%(after)s::bigint[], %(until)s::bigint[])
                WITH ORDINALITY AS part (after, until, n)
            CROSS JOIN LATERAL (
                SELECT count(*) AS entries, sum(amount) AS amount FROM wallet_entry
                WHERE account_id = %(account)s AND kind <> 'usage'
                  AND sequence > part.after AND sequence <= part.until
            ) AS credit
            ORDER BY part.n
            """,
            {"account": account.pk, "after": list(edges[:-1]), "until": list(edges[1:])},
        )
        return [Movement(count, amount) for count, amount in cursor.fetchall()]


def _by_kind(account: Account, totals: MonthTotals) -> dict[EntryKind, Movement]:
    entries = _between(account, totals.opening.sequence, totals.closing.sequence)
    sums = entries.exclude(kind=EntryKind.USAGE).values_list("kind")
    found = {
        EntryKind(kind): Movement(count, amount)
        for kind, count, amount in sums.annotate(Count("pk"), Sum("amount"))
    }
    return {kind: found[kind] for kind in EntryKind if kind in found}


def _between(account: Account, after: int, until: int) -> QuerySet[Entry]:
    return Entry.objects.filter(account=account, sequence__gt=after, sequence__lte=until)


def _totals(
    month: Month, opening: Balance, closing: Balance, credit: Movement, *, now: datetime
) -> MonthTotals:
    return MonthTotals(
        month=month,
        opening=opening,
        closing=closing,
        credit=credit,
        usage=_usage(opening, closing, credit),
        is_closed=month.ends <= now,
    )


def _usage(opening: Balance, closing: Balance, credit: Movement) -> Movement:
    """Usage is the rest of a balance's change: entries are numbered without gaps, and chained."""
    return Movement(
        closing.sequence - opening.sequence - credit.count,
        closing.amount - opening.amount - credit.amount,
    )


def _rows(
    entries: QuerySet[Entry], totals: MonthTotals, timezone: tzinfo
) -> Iterable[Sequence[str]]:
    month = totals.month
    yield _edge(month.starts, _("Opening balance"), totals.opening, timezone)
    for entry in entries.iterator(chunk_size=CHUNK):
        yield _row(entry, timezone)
    yield _edge(month.ends, _("Closing balance"), totals.closing, timezone)


def _edge(at: datetime, name: object, balance: Balance, timezone: tzinfo) -> Sequence[str]:
    written = at.astimezone(timezone).isoformat(timespec="seconds")
    return ("", written, str(name), "", "", f"{balance.amount:f}", "", "", "", "", "")


def _row(entry: Entry, timezone: tzinfo) -> Sequence[str]:
    payment = entry.transaction
    return (
        str(entry.sequence),
        entry.created_at.astimezone(timezone).isoformat(timespec="seconds"),
        str(EntryKind(entry.kind).label),
        translated(entry.description),
        f"{entry.amount:f}",
        f"{entry.balance_after:f}",
        payment.number if payment else "",
        payment.receipt_number if payment else "",
        f"{payment.charged_amount.amount:f}" if payment else "",
        entry.usage_id or "",
        # A charge begins with what was used: `Call minutes: 10 × $0.10`.
        translated(entry.description.partition(":")[0]) if entry.kind == EntryKind.USAGE else "",
    )


def _days(month: Month) -> Iterator[date]:
    day = month.first_day
    while day.month == month.first_day.month:
        yield day
        day += timedelta(days=1)


def _month_after(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)
