"""`manage.py renew`: what the scheduled renewal does, by hand."""

import signal
import sys
import time
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing_portal.web_server import SWITCH_SECONDS
from plans import renewals

#: How often a run says how far it is.
_TELL_SECONDS = 5


class Command(BaseCommand):
    """Opens, charges and chases renewals that are due now, beside whatever run does so already."""

    help = (
        "Open, charge and chase the renewals that are due now. Several may run at once, here and "
        "in the worker: they share the work. SIGTERM and Ctrl-C stop it between two charges."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was done; exit 1 when Stripe left an outcome open, or when it was stopped."""
        # Among threads that compute, a charge is late for its moment (accounts/gateway/pace.py).
        sys.setswitchinterval(SWITCH_SECONDS)
        is_stopped = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: is_stopped.set())
        began = told = time.monotonic()

        def tell(report: renewals.RenewalReport) -> None:
            nonlocal told
            if time.monotonic() - told >= _TELL_SECONDS:
                told = time.monotonic()
                pace = report.charged / (told - began)
                self.stdout.write(f"{_summary(report)}; {pace:.1f} charges a second")
                self.stdout.flush()

        report = renewals.run(
            clock=timezone.now,
            threads=settings.RENEWAL_THREADS,
            is_over=is_stopped.is_set,
            tell=tell,
        )
        self.stdout.write(f"{_summary(report)}, {report.paused} accounts paused.")
        if report.is_cut_short:
            raise CommandError("Stopped. Run it again to go on.")
        if report.unknown:
            raise CommandError(f"{report.unknown} charges have no known outcome yet. Run it again.")


def _summary(report: renewals.RenewalReport) -> str:
    return f"{report.opened} periods opened, {report.paid} paid, {report.failed} failed"
