"""Renewals: what a run does, from a handful to a hundred thousand.

Dueness is a query (DESIGN.md section 5): two beats at once, no beat for three days or a clock that
jumps change nothing but delay. Each period is billed once, oldest first.

A run opens periods and claims renewals a page at a time, in one thread, and charges what it claimed
in others, which mostly wait for Stripe. It holds one claim and what the threads are at, never the
queue. Any number of runs share the work, and each may be killed at any line: see opening.py and
renewal_claims.py for who takes what.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Lock

import structlog
from django.db import connection

from accounts import gateway
from accounts.crew import Crew
from invoices import charging
from invoices.models import Status, Transaction
from plans import opening, past_due, renewal_charges, renewal_claims
from plans.models import Renewal

log = structlog.get_logger(__name__)

#: How long a run waits for a thread before it looks around again.
_GLANCE_SECONDS = 0.1
#: Of the lock that the scheduled run holds: any number that no other lock has.
_SCHEDULED_RUN = 7_366_253


@dataclass(slots=True)
class RenewalReport:
    """What a run has done so far."""

    opened: int = 0
    paid: int = 0
    failed: int = 0
    unknown: int = 0
    paused: int = 0
    is_cut_short: bool = False

    @property
    def charged(self) -> int:
        """How many renewals were tried, whatever became of them."""
        return self.paid + self.failed + self.unknown


def renew_due(*, now: datetime) -> RenewalReport:
    """Open every period that has begun, charge what is due, pause what stayed unpaid."""
    return run(clock=lambda: now)


def run(
    *,
    clock: Callable[[], datetime],
    threads: int = 0,
    is_over: Callable[[], bool] = lambda: False,
    tell: Callable[[RenewalReport], None] = lambda report: None,
) -> RenewalReport:
    """Renew what is due with so many `threads` that charge, none but the caller's by default.

    Each page is opened, and charged, as of what the `clock` says then. When `is_over`, nothing more
    is begun: what has been claimed is charged, and the report says that the run was cut short.
    `tell` is called with the report as it grows.
    """
    report = RenewalReport()
    with Crew(partial(_charge, report=report, lock=Lock()), threads=threads) as crew:
        pages = _Pages(clock=clock, report=report)
        while not is_over():
            tell(report)
            if crew.is_hungry and pages.claim(crew):
                continue
            if pages.open():
                continue
            if not crew.is_idle:
                crew.wait(_GLANCE_SECONDS)
            elif not pages.begin_again():
                break
        else:
            report.is_cut_short = True
    report.paused = past_due.pause_unpaid(now=clock())
    tell(report)
    return report


@contextmanager
def scheduled_run() -> Iterator[bool]:
    """Say whether this is the only scheduled run: while one is under way, others have no place.

    The database keeps the lock for as long as the connection lives, so a run that dies frees it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_SCHEDULED_RUN])
        [is_the_only_one] = cursor.fetchone()
    try:
        yield is_the_only_one
    finally:
        if is_the_only_one:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_SCHEDULED_RUN])


@dataclass(slots=True)
class _Charge:
    """One renewal to charge: claimed already, or else singly."""

    now: datetime
    transaction: Transaction | None = None
    renewal: Renewal | None = None


def _charge(charge: _Charge, *, report: RenewalReport, lock: Lock) -> None:
    """Charge one renewal, in whatever thread, and count what became of it."""
    status: str | None = None
    with gateway.in_background():
        if charge.transaction is not None:
            status = charging.execute_opened(transaction=charge.transaction, now=charge.now).status
        elif charge.renewal is not None:
            status = renewal_charges.charge(charge.renewal, now=charge.now)
    with lock:
        if status == Status.PAID:
            report.paid += 1
        elif status == Status.FAILED:
            report.failed += 1
        elif status is not None:
            report.unknown += 1


class _Pages:
    """Where a run is among the periods to open and the renewals to charge.

    It goes on behind the last place, so that what can't be opened or charged, for whatever reason,
    holds up nothing, and looks from the beginning again for as long as that achieves something:
    meanwhile other runs may have opened periods, and paid ones made the next due.
    """

    def __init__(self, *, clock: Callable[[], datetime], report: RenewalReport) -> None:
        self._clock = clock
        self._report = report
        self._achieved = -1
        self.begin_again()

    def begin_again(self) -> bool:
        """Go to the first place; return whether anything was achieved since the last time."""
        achieved = self._report.opened + self._report.charged
        is_worth_it = achieved != self._achieved
        self._achieved = achieved
        self._opened: opening.Place | None = None
        self._claimed: renewal_claims.Place | None = None
        self._all_opened = self._all_claimed = False
        return is_worth_it

    def open(self) -> bool:
        """Open the next page of periods; return whether there was one."""
        if self._all_opened:
            return False
        opened = opening.open_page(now=self._clock(), after=self._opened)
        self._report.opened += opened.periods
        self._opened, self._all_opened = opened.last, opened.last is None
        self._all_claimed = False
        return True

    def claim(self, crew: Crew[_Charge]) -> bool:
        """Claim the next renewals and give them to the crew; return whether there were any."""
        if self._all_claimed:
            return False
        now = self._clock()
        claim = renewal_claims.claim(now=now, after=self._claimed)
        crew.give(_Charge(now, transaction=each) for each in claim.transactions)
        crew.give(_Charge(now, renewal=each) for each in claim.singly)
        self._claimed = claim.last or self._claimed
        self._all_claimed = claim.last is None
        return claim.last is not None
