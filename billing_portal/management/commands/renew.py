"""`manage.py renew`: what the scheduled renewal does, by hand."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from plans import renewals


class Command(BaseCommand):
    """Opens, charges and chases renewals that are due now."""

    help = "Open, charge and chase the renewals that are due now."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was done; exit 1 when Stripe left an outcome open."""
        report = renewals.renew_due(now=timezone.now())
        self.stdout.write(
            f"{report.opened} periods opened, {report.paid} paid, {report.failed} failed, "
            f"{report.paused} accounts paused."
        )
        if report.unknown:
            raise CommandError(f"{report.unknown} charges have no known outcome yet. Run it again.")
