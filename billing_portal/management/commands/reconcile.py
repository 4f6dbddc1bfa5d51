"""`manage.py reconcile`: what the nightly comparison with Stripe does, by hand."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.gateway import GatewayRefused, GatewayUnavailable
from invoices import reconciliation


class Command(BaseCommand):
    """Compares both directions; repairs what it may, names what it must not."""

    help = "Compare the payments at Stripe with ours, repair what is missing, report the rest."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how far to look back."""
        parser.add_argument(
            "--days",
            type=int,
            default=reconciliation.DAYS,
            help=f"How many days to look back; {reconciliation.DAYS} unless given.",
        )

    def handle(self, *args: Any, days: int, **options: Any) -> None:
        """Say what was compared and repaired; exit 1 when something needs a person."""
        if not 1 <= days <= 366:
            raise CommandError("Give from 1 to 366 days.")
        try:
            report = reconciliation.reconcile(now=timezone.now(), days=days)
        except (GatewayUnavailable, GatewayRefused) as error:
            raise CommandError(f"Stripe gave no answer ({error}). Run it again.") from error
        except reconciliation.RunElsewhere as error:
            raise CommandError(str(error)) from error
        run = report.run
        self.stdout.write(
            f"{run.since:%Y-%m-%d} to {run.until:%Y-%m-%d}: {run.payments} payments at Stripe, "
            f"{run.transactions} paid transactions here, {run.repaired} repaired."
        )
        for finding in report.findings:
            self.stdout.write(f"FOUND {finding}. {finding.detail}")
        if report.findings:
            raise CommandError(f"{len(report.findings)} findings need a person; see the admin.")
