"""`manage.py audit`: check every invariant; exit 1 when one is broken."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing_portal import audit
from billing_portal.audit import CHECKS


class Command(BaseCommand):
    """Names each broken invariant and the row that breaks it."""

    help = "Check the invariants of the ledger, payments, periods and usage on this database."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what is broken, or that nothing is."""
        violations = audit.run(now=timezone.now())
        for violation in violations:
            self.stdout.write(f"BROKEN {violation}")
        if violations:
            raise CommandError(f"{len(violations)} rows break an invariant.")
        invariants = sorted({check.invariant for check in CHECKS}, key=lambda name: int(name[1:]))
        self.stdout.write(f"{len(CHECKS)} checks hold: {', '.join(invariants)}.")
