"""Moments as a customer reads them: in the account's timezone."""

from dataclasses import dataclass
from datetime import date, datetime, tzinfo


@dataclass(frozen=True)
class Moment:
    """A moment written for a person, and for a machine in `iso`."""

    iso: str
    day: str
    clock: str
    zone: str

    @property
    def short(self) -> str:
        """`Nov 18, 2026, 14:05`."""
        return f"{self.day}, {self.clock}"

    @property
    def full(self) -> str:
        """`Nov 18, 2026, 14:05 (Asia/Muscat)`."""
        return f"{self.short} ({self.zone})"


def moment(at: datetime, zone: tzinfo) -> Moment:
    """Write `at` in `zone`."""
    local = at.astimezone(zone)
    return Moment(
        iso=local.isoformat(timespec="seconds"),
        day=write_day(local.date()),
        clock=f"{local:%H:%M}",
        zone=str(zone),
    )


def write_day(day: date) -> str:
    """`Nov 3, 2026`."""
    return f"{day:%b} {day.day}, {day.year}"


def write_short_day(day: date) -> str:
    """`Nov 3`."""
    return f"{day:%b} {day.day}"


def write_period(start: datetime, end: datetime, zone: tzinfo) -> str:
    """From one renewal to the next, such as Nov 3 to Dec 3, 2026; both years when they differ."""
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    left = write_short_day(first) if first.year == last.year else write_day(first)
    return f"{left} \N{EN DASH} {write_day(last)}"
