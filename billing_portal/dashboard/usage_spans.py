"""Which days a Usage page shows, and which it compares them with. Days are the account's own."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from accounts.models import Account
from billing_portal.dashboard.usage_forms import Preset
from plans.models import Renewal

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """Days from `first` to `last`; of a period, only what was rated in it (`renewal`).

    `end` is the last day that is drawn: that of a period under way is still to come.
    """

    first: date
    last: date
    end: date
    renewal: Renewal | None = None

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.last - self.first).days + 1


def spans_of(
    preset: str,
    *,
    account: Account,
    now: datetime,
    date_from: date | None = None,
    date_to: date | None = None,
) -> tuple[Span, Span | None]:
    """Return the days asked for, and as many before them; None when there was no period before.

    A period under way is compared with as many days of the last one. Without a plan a period is a
    calendar month. An own range without an end ends today, one without a beginning has 30 days.
    """
    today = now.astimezone(account.timezone).date()
    if preset == Preset.OWN:
        last = date_to or max(today, date_from or today)
        return _before(Span(date_from or last - 29 * _DAY, last, last))
    if preset == Preset.DAYS:
        return _before(Span(today - 29 * _DAY, today, today))
    if preset == Preset.MONTHS:
        return _before(Span(_months_before(today, 3) + _DAY, today, today))
    periods = _periods(account, now)
    if preset == Preset.LAST_PERIOD:
        before = periods[2] if len(periods) > 2 else None
        return (periods[1], before) if len(periods) > 1 else _before(_month_before(periods[0]))
    current = periods[0]
    under_way = Span(current.first, min(today, current.last), current.last, current.renewal)
    if len(periods) == 1:
        return under_way, None
    last_period = periods[1]
    last = min(last_period.last, last_period.first + (under_way.days - 1) * _DAY)
    return under_way, Span(last_period.first, last, last, last_period.renewal)


def _before(span: Span) -> tuple[Span, Span]:
    last = span.first - _DAY
    return span, Span(last - (span.days - 1) * _DAY, last, last)


def _periods(account: Account, now: datetime) -> list[Span]:
    """The period under way and the two before it, newest first."""
    found = Renewal.objects.filter(account=account, period_start__lte=now)
    renewals = list(found.order_by("-period_start", "-pk")[:3])
    zone = account.timezone
    spans = []
    for renewal in renewals:
        last = (renewal.period_end - timedelta(microseconds=1)).astimezone(zone).date()
        spans.append(Span(renewal.period_start.astimezone(zone).date(), last, last, renewal))
    if not spans or renewals[0].period_end <= now:
        today = now.astimezone(zone).date()
        first = today.replace(day=1)
        last = (first + 31 * _DAY).replace(day=1) - _DAY
        spans.insert(0, Span(first, last, last))
    return spans


def _month_before(span: Span) -> Span:
    last = span.first - _DAY
    return Span(_months_before(span.first, 1), last, last)


def _months_before(day: date, months: int) -> date:
    """The same day so many months earlier, or the last one of a month that has no such day."""
    number = day.year * 12 + day.month - 1 - months
    first = date(number // 12, number % 12 + 1, 1)
    last = (first + 31 * _DAY).replace(day=1) - _DAY
    return min(first.replace(day=min(day.day, last.day)), last)
