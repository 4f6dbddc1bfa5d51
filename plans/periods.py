"""Pure dates: which period a moment belongs to (DESIGN.md section 5).

Period n starts at anchor + (n - 1) months, in UTC, on the last day of a month that has no such
day: 31 January → 28 or 29 February → 31 March. Always counted from the anchor, never from the last
period. The database computes the same in `start_of_period` and CHECKs every row against it.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Period:
    """A period: `start` belongs to it, `end` to the next."""

    number: int
    start: datetime
    end: datetime


def start_of_period(anchor: datetime, number: int) -> datetime:
    """Return the first moment of period `number`; the anchor's own is number 1."""
    anchor = anchor.astimezone(UTC)
    years, month = divmod(anchor.month - 1 + number - 1, 12)
    year, month = anchor.year + years, month + 1
    day = min(anchor.day, monthrange(year, month)[1])
    return anchor.replace(year=year, month=month, day=day)


def period(anchor: datetime, number: int) -> Period:
    """Return period `number` of a subscription that began at `anchor`."""
    return Period(number, start_of_period(anchor, number), start_of_period(anchor, number + 1))


def period_at(anchor: datetime, moment: datetime) -> Period:
    """Return the period that contains `moment`; the first one for a moment before the anchor."""
    anchor, moment = anchor.astimezone(UTC), moment.astimezone(UTC)
    months = (moment.year - anchor.year) * 12 + moment.month - anchor.month
    number = max(1, months + 1)
    if number > 1 and start_of_period(anchor, number) > moment:
        number -= 1
    return period(anchor, number)
