"""Recent activity on the Overview: payments, refunds, credit, plan changes, and usage by day.

Usage comes from the daily sums that the page reads anyway. Days on which nothing else happened are
one line, so that a busy month does not push a refund off the list; today and yesterday have lines
of their own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.dates import write_range
from accounts.models import AuditEvent
from accounts.money import format_usd
from billing_portal.dashboard.activity_words import Names, title_of
from billing_portal.dashboard.overview_state import OverviewState
from billing_portal.dashboard.rows import TransactionRow, transaction_rows
from billing_portal.dashboard.times import write_day
from plans.daily_spend import DaySum

#: So many lines are shown.
MOST_LINES = 8
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class ActivityLine:
    """One line: a payment with what can be done about it, an event, or the usage of some days."""

    day: str
    title: str
    href: str
    amount: str = ""
    payment: TransactionRow | None = None


@dataclass(frozen=True)
class _UsedDay:
    day: date
    records: int
    amount: Decimal


def build_recent_activity(state: OverviewState) -> tuple[ActivityLine, ...]:
    """Compose the newest lines, newest first."""
    zone = state.account.timezone
    payments = transaction_rows(state.recent, zone=zone, now=state.now, may_act=state.may_act)
    today = state.now.astimezone(zone).date()

    def written(at: datetime) -> str:
        day = at.astimezone(zone).date()
        return _days(day, day, today=today)

    happened = [
        (each.created_at, _payment(row, written(each.created_at)))
        for each, row in zip(state.recent, payments, strict=True)
    ]
    happened += [(each.created_at, _event(each, written(each.created_at))) for each in state.events]
    happened.sort(key=lambda each: each[0], reverse=True)
    used = _used_days(state.used, until=today)
    lines: list[ActivityLine] = []
    for at, line in happened:
        day = at.astimezone(zone).date()
        lines += _usage_lines([each for each in used if each.day >= day], today=today)
        used = [each for each in used if each.day < day]
        lines.append(line)
    lines += _usage_lines(used, today=today)
    return tuple(lines[:MOST_LINES])


def _payment(row: TransactionRow, day: str) -> ActivityLine:
    return ActivityLine(day=day, title=row.title, href=row.href, amount=row.amount, payment=row)


def _event(event: AuditEvent, day: str) -> ActivityLine:
    plan, name = str(event.details.get("plan", "")), getattr(event, "plan_name", None)
    names = Names(plans={plan: name} if name else {}, features={})
    return ActivityLine(day=day, title=title_of(event, names), href=_href(event))


def _href(event: AuditEvent) -> str:
    """Where more of it is said."""
    match event.action:
        case "refund_succeeded" if number := event.details.get("transaction"):
            return reverse("billing-history-detail", args=[number])
        case "credit_adjusted":
            return f"{reverse('credit')}?{urlencode({'kind': 'credit'})}"
        case "services_paused" | "services_resumed":
            return ""
    return reverse("plan")


def _used_days(rows: Iterable[DaySum], *, until: date) -> list[_UsedDay]:
    """What was used on each day, newest first; a day between two periods has both."""
    records: dict[date, int] = {}
    amounts: dict[date, Decimal] = {}
    for row in rows:
        records[row.day] = records.get(row.day, 0) + row.calls
        amounts[row.day] = amounts.get(row.day, Decimal(0)) + row.amount
    return [
        _UsedDay(day, records[day], amounts[day])
        for day in sorted(records, reverse=True)
        if day <= until
    ]


def _usage_lines(days: Sequence[_UsedDay], *, today: date) -> list[ActivityLine]:
    recent = [each for each in days if each.day >= today - _DAY]
    older = days[len(recent) :]
    return [_usage_line([each], today=today) for each in recent] + (
        [_usage_line(older, today=today)] if older else []
    )


def _usage_line(days: Sequence[_UsedDay], *, today: date) -> ActivityLine:
    first, last = days[-1].day, days[0].day
    records = sum(each.records for each in days)
    query = urlencode({"date_from": str(first), "date_to": str(last)})
    return ActivityLine(
        day=_days(first, last, today=today),
        title=ngettext("%(count)s usage record", "%(count)s usage records", records)
        % {"count": f"{records:,}"},
        href=f"{reverse('usage-history')}?{query}",
        amount=format_usd(sum((each.amount for each in days), Decimal(0))),
    )


def _days(first: date, last: date, *, today: date) -> str:
    if first == last == today:
        return _("Today")
    if first == last == today - _DAY:
        return _("Yesterday")
    return write_day(first) if first == last else write_range(first, last)
