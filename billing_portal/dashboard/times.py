"""Moments as a customer reads them: in the account's timezone."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.utils.translation import gettext as _

from accounts.dates import write_day, write_range, write_short_day

__all__ = ["Moment", "moment", "write_day", "write_period", "write_short_day"]


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
        return _("%(day)s, %(time)s") % {"day": self.day, "time": self.clock}

    @property
    def full(self) -> str:
        """`Nov 18, 2026, 14:05 (Asia/Muscat)`."""
        return _("%(moment)s (%(zone)s)") % {"moment": self.short, "zone": self.zone}


def moment(at: datetime, zone: tzinfo) -> Moment:
    """Write `at` in `zone`."""
    local = at.astimezone(zone)
    return Moment(
        iso=local.isoformat(timespec="seconds"),
        day=write_day(local.date()),
        clock=f"{local:%H:%M}",
        zone=str(zone),
    )


def write_period(start: datetime, end: datetime, zone: tzinfo) -> str:
    """From one renewal to the next, such as Nov 3 to Dec 3, 2026; both years when they differ."""
    return write_range(start.astimezone(zone).date(), end.astimezone(zone).date())
