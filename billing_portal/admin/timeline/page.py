"""One page of the timeline: the newest lines of each source, merged."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import nlargest

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.http import QueryDict

from accounts.models import Account, AuditEvent, Message, User
from billing_portal.admin.cells import Cell, exact_usd, figure, usd, when
from billing_portal.admin.permissions import may_view
from billing_portal.admin.timeline import events, money
from billing_portal.admin.timeline.filters import TimelineFilters
from billing_portal.admin.timeline.lines import Found, Kind, Line, Place, Span
from invoices.models import Dispute, Refund, Transaction
from plans.models import UsageRecord
from wallet.models import Entry

PAGE_SIZE = 50
#: The columns, and which of them are figures.
HEADERS = ("When (UTC)", "About", "What", "Amount", "Balance after", "Who")
FIGURES = ("Amount", "Balance after")
#: What a reader has to be allowed to look at, by kind.
_SHOWN_TO: dict[Kind, tuple[type[Model], ...]] = {
    Kind.PAYMENTS: (Transaction,),
    Kind.REFUNDS: (Refund, Dispute),
    Kind.CREDIT: (Entry,),
    Kind.USAGE: (UsageRecord,),
    Kind.SERVICES: (AuditEvent,),
    Kind.EMAILS: (Message,),
    Kind.STAFF: (AuditEvent,),
    Kind.CHANGES: (AuditEvent,),
}

#: A mark beside what went well or badly; the words say it, too.
_COLOURS = {
    "success": "bg-green-600",
    "warning": "bg-orange-600",
    "danger": "bg-red-600",
    "info": "bg-blue-600",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line as it is shown."""

    when: str
    kind: str
    title: str
    note: str
    amount: Cell
    balance: Cell
    by: str
    url: str
    colour: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of it, newest first; `older` and `newest` are queries of other pages."""

    rows: list[Row]
    filters: TimelineFilters
    older: str
    newest: str
    is_first: bool
    headers: tuple[str, ...] = HEADERS
    figures: tuple[str, ...] = FIGURES


def build_timeline(
    *, account: Account, reader: User | AnonymousUser, query: QueryDict
) -> Timeline | None:
    """Compose the page that `query` asks for, of what `reader` may see; None when that is nothing.

    The number of queries is the same however much there is: each source gives the newest lines
    that this page may need, and of usage only the hours of the page are added up.
    """
    offered = [
        kind
        for kind, models in _SHOWN_TO.items()
        if all(may_view(reader, model) for model in models)
    ]
    if not offered:
        return None
    filters = TimelineFilters(query, offered=offered)
    kinds = filters.kinds
    span = Span(filters.begins, filters.ends, filters.place, PAGE_SIZE + 1)
    found: list[Found] = []
    sources: list[tuple[bool, Callable[[], list[Found]]]] = [
        (Kind.PAYMENTS in kinds, lambda: money.payments(account, span)),
        (Kind.REFUNDS in kinds, lambda: money.refunds(account, span)),
        (Kind.REFUNDS in kinds, lambda: money.disputes(account, span)),
        (Kind.CREDIT in kinds, lambda: money.entries(account, span)),
        (Kind.EMAILS in kinds, lambda: events.emails(account, span)),
        (True, lambda: events.audited(account, span, kinds)),
    ]
    for is_wanted, source in sources:
        if is_wanted:
            found += source()
    found = _newest(found)
    if Kind.USAGE in kinds:
        found = _newest([*found, *money.usage(account, _down_to(found, span))])
    shown = found[:PAGE_SIZE]
    has_older = len(found) > PAGE_SIZE
    return Timeline(
        rows=[_row(one.place, one.write()) for one in shown],
        filters=filters,
        older=filters.query(before=shown[-1].place.written()) if has_older else "",
        newest=filters.query(),
        is_first=filters.place is None,
    )


def _newest(found: list[Found]) -> list[Found]:
    return nlargest(PAGE_SIZE + 1, found, key=lambda one: one.place)


def _down_to(found: list[Found], span: Span) -> Span:
    """Where there are enough lines already, older usage is not on this page."""
    if len(found) <= PAGE_SIZE:
        return span
    since = _whole_hour(found[-1].place.at)
    if span.since is not None:
        since = max(since, span.since)
    return Span(since, span.until, span.place, span.most)


def _whole_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _row(place: Place, line: Line) -> Row:
    at = place.at
    is_hour = line.kind is Kind.USAGE
    return Row(
        when=f"{when(at)[:16]}–{at + timedelta(hours=1):%H:%M}" if is_hour else when(at),
        kind=str(line.kind.label),
        title=line.title,
        note=line.note,
        # A deduction is nothing bad: only a balance below zero is red.
        amount="" if line.amount is None else figure(exact_usd(line.amount)),
        balance="" if line.balance_after is None else usd(line.balance_after),
        by=line.by,
        url=line.url,
        colour=_COLOURS.get(line.tone, ""),
    )
