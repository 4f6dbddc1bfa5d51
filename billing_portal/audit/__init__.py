"""The audit: every invariant of DESIGN.md section 10, checked on a live database.

Each check is one query that returns the rows that break it, in words. The database enforces most
of them by itself; the audit is what would notice if it ever did not. The checks of an app are in
the module of its name.

The full audit reads everything and, when it finds nothing, leaves a checkpoint. With `since` the
checks read what came or changed from a moment on, and that it continues what was there: a ledger
that was whole at the checkpoint, and whose entries since continue it up to the wallet's balance, is
whole. Who changed older rows behind the database's back is found by the full audit alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from billing_portal.audit import accounts, approvals, invoices, plans, reversals, tenants, wallet
from billing_portal.audit.check import Check, of_what_is_new
from billing_portal.audit.screen import SUSPECTS
from billing_portal.models import AuditReport, Heartbeat

CHECKS = (
    *accounts.CHECKS,
    *invoices.CHECKS,
    *reversals.CHECKS,
    *wallet.CHECKS,
    *approvals.CHECKS,
    *plans.CHECKS,
    *tenants.CHECKS,
)

#: A statement that takes longer fails the audit instead of holding up the database.
STATEMENT_TIMEOUT = "60s"
#: What one sort or hash of a check may hold in memory; what is more goes through files.
WORK_MEMORY = "64MB"
#: What screen.py sums up.
ADDS_UP = "entries, usage records and allowances of an account add up"
#: Under this name a full audit that found nothing is noted.
CHECKPOINT = "audit"
#: Under this name one of what is new.
OF_WHAT_IS_NEW = "audit of what is new"
#: Of a report so many broken rows are kept in words; the log has them all.
ROWS_KEPT = 50
REPORTS_KEPT_FOR = timedelta(days=90)
#: What was being written while the full audit began may be dated before it and was not seen by it.
OVERLAP = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Violation:
    """A row that breaks an invariant."""

    invariant: str
    rule: str
    row: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.rule}: {self.row}"


def run(
    *, now: datetime, since: datetime | None = None, checks: Iterable[Check] = CHECKS
) -> list[Violation]:
    """Check every invariant, of everything or of what came since a moment; return what breaks one.

    Each check of everything is one statement, all those of what is new are one: each sees one
    moment of the database, while others write. Raises OperationalError when a statement takes
    longer than STATEMENT_TIMEOUT.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
        cursor.execute(f"SET LOCAL work_mem = '{WORK_MEMORY}'")
        if since is None:
            return _check_everything(cursor, checks, now=now)
        return _check_what_is_new(cursor, checks, now=now, since=since)


def _check_everything(
    cursor: CursorWrapper, checks: Iterable[Check], *, now: datetime
) -> list[Violation]:
    suspects = _suspects(cursor)
    violations: list[Violation] = []
    for check in checks:
        if check.by_account and not suspects:
            continue
        cursor.execute(
            check.statement(of_accounts=check.by_account), {"now": now, "accounts": suspects}
        )
        violations += [Violation(check.invariant, check.rule, row) for (row,) in cursor.fetchall()]
    if suspects and not violations:
        violations = [Violation("I1", ADDS_UP, f"account {account}") for account in suspects]
    return violations


def _check_what_is_new(
    cursor: CursorWrapper, checks: Iterable[Check], *, now: datetime, since: datetime
) -> list[Violation]:
    # What is compiled for a statement so long takes longer than what it reads.
    cursor.execute("SET LOCAL jit = off")
    asked = [check for check in checks if not check.only_in_full]
    cursor.execute(of_what_is_new(asked), {"now": now, "since": since})
    return [
        Violation(asked[place].invariant, asked[place].rule, row)
        for place, row in cursor.fetchall()
    ]


def _suspects(cursor: CursorWrapper) -> list[UUID]:
    """Return accounts whose entries, records and allowances do not add up."""
    cursor.execute(SUSPECTS)
    return [account for (account,) in cursor.fetchall()]


def note(*, violations: Sequence[Violation], now: datetime, since: datetime | None) -> AuditReport:
    """Keep what the audit that began at `now` found, for staff to see.

    A full one that found nothing is the checkpoint for those of what is new.
    """
    with transaction.atomic():
        report = AuditReport.objects.create(
            began_at=now,
            since=since,
            violations=len(violations),
            first_violations=[str(violation) for violation in violations[:ROWS_KEPT]],
        )
        AuditReport.objects.filter(began_at__lt=now - REPORTS_KEPT_FOR).delete()
        if not violations:
            name = CHECKPOINT if since is None else OF_WHAT_IS_NEW
            Heartbeat.objects.update_or_create(name=name, defaults={"at": now})
    return report


def checkpoint() -> datetime | None:
    """Return when the last full audit began that found nothing."""
    return Heartbeat.objects.filter(name=CHECKPOINT).values_list("at", flat=True).first()


def begin_of_what_is_new(*, now: datetime) -> datetime:
    """Return when the last full audit began that found nothing; without one, a day ago."""
    return (checkpoint() or now - timedelta(days=1)) - OVERLAP
