"""Renewals: what one run of the schedule does.

Dueness is a query (DESIGN.md section 5): two beats at once, no beat for three days or a clock that
jumps change nothing but delay. Each period is billed once, oldest first.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog

from invoices.models import Status
from plans import opening, past_due, renewal_charges

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class RenewalReport:
    """What one run did."""

    opened: int = 0
    paid: int = 0
    failed: int = 0
    unknown: int = 0
    paused: int = 0


def renew_due(*, now: datetime) -> RenewalReport:
    """Open every period that has begun, charge what is due, pause what stayed unpaid."""
    report = RenewalReport(opened=opening.open_due_periods(now=now))
    for renewal in renewal_charges.due(now=now):
        try:
            status = renewal_charges.charge(renewal, now=now)
        except Exception:
            # Whatever is wrong with one account must not hold back the others.
            log.exception("renewal_broke", renewal=renewal.pk)
            continue
        if status == Status.PAID:
            report.paid += 1
        elif status == Status.FAILED:
            report.failed += 1
        elif status is not None:
            report.unknown += 1
    report.paused = past_due.pause_unpaid(now=now)
    return report
