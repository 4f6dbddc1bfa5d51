"""Where a day of somebody's calendar begins."""

from datetime import date, datetime, time, tzinfo


def midnight(day: date, *, timezone: tzinfo) -> datetime:
    """Return the moment at which `day` begins in `timezone`."""
    return datetime.combine(day, time.min, tzinfo=timezone)
