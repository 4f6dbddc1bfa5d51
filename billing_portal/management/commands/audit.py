"""`manage.py audit`: check every invariant; exit 1 when one is broken."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from billing_portal import audit
from billing_portal.audit import CHECKS


class Command(BaseCommand):
    """Names each broken invariant and the row that breaks it."""

    help = "Check the invariants of the ledger, payments, periods and usage on this database."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the moment from which on to look."""
        parser.add_argument(
            "--since",
            metavar="WHEN",
            help="only what came or changed since: `yesterday`, a date (both from midnight, UTC), "
            "a time (ISO 8601), or `checkpoint`, the last full audit that found nothing",
        )

    def handle(self, *args: Any, since: str | None = None, **options: Any) -> None:
        """Print what is broken, or that nothing is."""
        now = timezone.now()
        begin = None if since is None else _moment(since, now=now)
        violations = audit.run(now=now, since=begin)
        audit.note(violations=violations, now=now, since=begin)
        for violation in violations:
            self.stdout.write(f"BROKEN {violation}")
        if begin is not None:
            self.stdout.write(_not_looked_at(begin))
        if violations:
            raise CommandError(f"{len(violations)} rows break an invariant.")
        invariants = sorted({check.invariant for check in CHECKS}, key=lambda name: int(name[1:]))
        what = "" if begin is None else f" for what came since {begin:%Y-%m-%d %H:%M:%S %Z}"
        number = sum(begin is None or not check.only_in_full for check in CHECKS)
        self.stdout.write(f"{number} checks hold{what}: {', '.join(invariants)}.")


def _moment(words: str, *, now: datetime) -> datetime:
    """Return the moment that `--since` names. Raises CommandError."""
    if words == "checkpoint":
        checkpoint = audit.checkpoint()
        if checkpoint is None:
            raise CommandError("No full audit has found nothing yet: run it without --since first.")
        return checkpoint - audit.OVERLAP
    try:
        day = now.date() - timedelta(days=1) if words == "yesterday" else parse_date(words)
        moment = datetime.combine(day, time.min, tzinfo=UTC) if day else parse_datetime(words)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(
            f"“{words}” is no moment: say yesterday, checkpoint, 2026-11-23 or "
            "2026-11-23T09:30:00Z."
        )
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment >= now:
        raise CommandError(f"“{words}” is not over yet: there is nothing to look at.")
    return moment


def _not_looked_at(begin: datetime) -> str:
    """Say what an audit of what came since `begin` does not prove."""
    checkpoint = audit.checkpoint()
    text = "Not looked at: what is older, and sums of days; "
    if checkpoint is None:
        return f"{text}no full audit has found nothing yet."
    text += f"the full audit of {checkpoint:%Y-%m-%d %H:%M:%S %Z} held."
    if checkpoint < begin:
        text += " Between that one and then nothing was looked at: use --since checkpoint."
    return text
