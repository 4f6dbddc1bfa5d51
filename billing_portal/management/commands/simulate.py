"""`manage.py simulate`: the demo company's past months, through the real services."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing_portal.simulation import engine
from billing_portal.simulation.bank import Bank


class Command(BaseCommand):
    """Runs the scenario with a virtual clock that ends now."""

    help = "Simulate the demo company's past months through the services and the sandbox Stripe."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--days", type=int, default=113, help="how far back to begin")
        parser.add_argument("--seed", type=int, default=7, help="the same seed, the same company")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it; refuses to run without the sandbox."""
        if not settings.STRIPE_SANDBOX_URL:
            raise CommandError("The simulation needs the sandbox Stripe: unset STRIPE_SECRET_KEY.")
        now = timezone.now()
        report = engine.run(
            bank=Bank(settings.STRIPE_SANDBOX_URL),
            start=now - timedelta(days=options["days"]),
            end=now,
            seed=options["seed"],
            progress=self._progress if options["verbosity"] > 1 else lambda day, days: None,
        )
        if options["verbosity"] > 1:
            self.stdout.write(f"{report}")

    def _progress(self, day: int, days: int) -> None:
        self.stdout.write(f"day {day} of {days}", ending="\r")
