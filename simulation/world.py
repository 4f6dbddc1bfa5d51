"""The world of a run: everything that there is, and how things happen in it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection

from accounts.gateway import GatewayRefused, GatewayUnavailable
from simulation import kinds
from simulation.chance import Chance
from simulation.clock import Clock
from simulation.gateway_faults import GatewayFaults
from simulation.mail_server import MailServer
from simulation.options import Options
from simulation.processes import Processes
from simulation.report import Report
from simulation.stripe_at_hand import Refused, StripeAtHand
from simulation.webhooks import Courier
from simulation.workers import WorkerFault, Workers

T = TypeVar("T")
#: How much likelier a deed is as long as it has not ended in all the ways that it may.
_FAVOUR = 3


class World:
    """Stripe, the portal's processes, the events between them, time and chance."""

    def __init__(
        self, options: Options, *, chance: Chance, clock: Clock, report: Report, folder: Path
    ) -> None:
        self.chance, self.clock, self.report = chance, clock, report
        self.rate = rate = options.rate
        self.processes = Processes()
        self.faults = GatewayFaults(chance, self.processes, rate=rate)
        self.stripe = StripeAtHand(folder)
        self.workers = Workers(chance, clock, self.processes, rate=rate)
        self.courier = Courier(chance, clock, self.processes, self.stripe, rate=rate)
        self.mail = MailServer(chance, clock, self.processes, rate=rate)
        self.faults.meanwhile = self._meanwhile
        #: Has anybody do anything: set by the run.
        self.somebody_acts: Callable[[], None] = lambda: None
        self.jumps = 0

    def close(self) -> None:
        """Let go of what is held."""
        self.workers.close()
        self.processes.close()

    def _meanwhile(self) -> None:
        """While a process waits for Stripe: nothing, another worker, an event, or somebody else."""
        if connection.in_atomic_block:
            raise AssertionError("Stripe is asked within a transaction.")
        if not self.chance.happens(self.rate / 3):
            return
        self.faults.meanwhile = lambda: None
        try:
            come_by = (self.courier.bring, self.workers.come_by, self.somebody_acts)
            self.chance.one_of(come_by)()
        finally:
            self.faults.meanwhile = self._meanwhile

    def let_time_pass(self, by: timedelta) -> None:
        """Go on by so much; now and then the portal's clock is set wrong, or right again."""
        self.clock.go_on(by)
        if self.clock.off_by and self.chance.happens(0.5):
            self.clock.jump(timedelta(0))
        elif self.chance.happens(self.rate / 4):
            self.jumps += 1
            seconds = self.chance.one_of((-3600, -300, -20, 20, 300, 3600))
            self.clock.jump(timedelta(seconds=seconds))
        self.stripe.set_clock(self.clock.true)
        if self.chance.happens(0.005):
            settings.USD_TO_OMR = self.chance.one_of((Decimal("0.385"), Decimal("0.3917")))

    def pick(self, deeds: Sequence[tuple[int, tuple[str, T]]]) -> tuple[str, T]:
        """One of these, each with its weight; rather what has not ended in all its ways yet."""
        return self.chance.weighed(
            [
                (weight * (_FAVOUR if kinds.is_wanted(deed[0], self.report.outcomes) else 1), deed)
                for weight, deed in deeds
            ]
        )

    def do(self, who: str, act: str, work: Callable[[], str]) -> bool:
        """Have somebody do something in a process of the portal; note how it went.

        Returns whether it came to its end. What the portal refuses in words is an outcome, and so
        is that Stripe gave no answer; anything else is a mistake, and ends the run.
        """
        dies_at = None
        if self.chance.happens(self.rate):
            dies_at = 1 + int(self.chance.about(40))
        is_done = False
        try:
            lived, outcome = self.processes.run(work, dies_at=dies_at)
        except ValidationError:
            outcome = "refused"
        except (GatewayUnavailable, GatewayRefused) as error:
            outcome = type(error).__name__
        except Refused as refused:
            outcome = f"refused by Stripe ({refused.code or 'no code'})"
        else:
            is_done = lived
            if not lived:
                self.workers.counts[WorkerFault.DIED] += 1
                outcome = "died"
        self.report.note(self.clock.now, who, act, outcome)
        return is_done

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        self.rate = self.faults.rate = self.workers.rate = self.courier.rate = 0
        self.faults.stop()
        self.clock.jump(timedelta(0))
        self.mail.heal()
        self.workers.heal()
