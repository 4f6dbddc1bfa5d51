"""The audit: every invariant of DESIGN.md section 10, checked on a live database.

Each check is one query that returns the rows that break it, in words. The database enforces most
of them by itself; the audit is what would notice if it ever did not. The checks of an app are in
the module of its name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from billing_portal.audit import accounts, invoices, plans, reversals, tenants, wallet
from billing_portal.audit.check import Check

CHECKS = (
    *accounts.CHECKS,
    *invoices.CHECKS,
    *reversals.CHECKS,
    *wallet.CHECKS,
    *plans.CHECKS,
    *tenants.CHECKS,
)

#: Rows named for each check; more than these say the same.
MOST_ROWS = 20
#: A check that takes longer fails the audit instead of holding up the database.
STATEMENT_TIMEOUT = "60s"


@dataclass(frozen=True, slots=True)
class Violation:
    """A row that breaks an invariant."""

    invariant: str
    rule: str
    row: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.rule}: {self.row}"


def run(*, now: datetime, checks: Iterable[Check] = CHECKS) -> list[Violation]:
    """Check every invariant; return what breaks one.

    Each check is one statement and so sees one moment of the database, while others write.
    Raises OperationalError when a check takes longer than STATEMENT_TIMEOUT.
    """
    violations: list[Violation] = []
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
        for check in checks:
            cursor.execute(f"{check.query} LIMIT {MOST_ROWS}", {"now": now})
            violations += [
                Violation(check.invariant, check.rule, row) for (row,) in cursor.fetchall()
            ]
    return violations
