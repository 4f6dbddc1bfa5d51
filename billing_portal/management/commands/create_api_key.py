"""`manage.py create_api_key --name "Voice platform" --scope usage:write --expires-in-days 90`."""

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts import api_keys
from accounts.models import Scope


class Command(BaseCommand):
    """Create a key of the REST API and print it, once.

    Without `--scope` it may do everything: most platforms are one program that provisions, asks,
    reports and rents. What it got is printed, so that nobody hands out more than was meant.
    """

    help = "Create a key of the REST API and print it. It can't be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take who uses it, what for and until when."""
        parser.add_argument("--name", required=True, help="Who uses the key.")
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            metavar="SCOPE",
            help=f"What it may do, once for each: {', '.join(Scope.values)}. Without: all.",
        )
        expiry = parser.add_mutually_exclusive_group()
        expiry.add_argument("--expires-in-days", type=int, metavar="DAYS")
        expiry.add_argument(
            "--expires-at", metavar="TIME", help="ISO 8601 with an offset: 2027-01-31T00:00:00Z."
        )
        parser.add_argument(
            "--requests-per-minute",
            type=int,
            metavar="N",
            help="Of each kind of call, instead of the general limits.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key on standard output, everything else on standard error."""
        now = timezone.now()
        try:
            key, token = api_keys.create(
                name=options["name"],
                scopes=options["scope"] or Scope.values,
                expires_at=_expiry(options, now),
                requests_per_minute=options["requests_per_minute"],
                now=now,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        until = f"until {key.expires_at.isoformat()}" if key.expires_at else "until it is revoked"
        self.stderr.write(f"It may do {', '.join(key.scopes)}, {until}.")
        self.stderr.write("Keep this key: it can't be shown again.")
        self.stdout.write(token)


def _expiry(options: dict[str, Any], now: datetime) -> datetime | None:
    """Return until when the key is good. Raises CommandError for what is no such moment."""
    if options["expires_in_days"] is not None:
        try:
            return now + timedelta(days=options["expires_in_days"])
        except OverflowError as error:
            raise CommandError("That many days end in no year that there is.") from error
    if options["expires_at"] is None:
        return None
    try:
        moment = parse_datetime(options["expires_at"])
    except ValueError as error:
        raise CommandError(f"--expires-at: {error}.") from error
    if moment is None or moment.tzinfo is None:
        raise CommandError("--expires-at: write it as 2027-01-31T00:00:00Z, with an offset.")
    return moment
