"""A run: days of steps, each checked; then all heals, and the books must be right."""

import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.test import override_settings

from accounts import webhook_endpoint
from accounts.kept_secrets import signing_secret_of
from accounts.models import Account
from invoices import documents
from invoices.models import Transaction
from plans import catalogue
from simulation import checks, kinds
from simulation.banks import Banks
from simulation.chance import Chance, determined
from simulation.checks import Broken, Complaints
from simulation.clock import Clock
from simulation.customers import Customer
from simulation.options import Options
from simulation.platform import Platform
from simulation.report import Report
from simulation.staff import Staff
from simulation.stripe_at_hand import connected
from simulation.world import World
from wallet.models import Wallet

#: When every run begins: some days before a month ends, and a year.
START = datetime(2027, 12, 20, 6, tzinfo=UTC)
#: How long sweepers have, in the end, to finish what was begun.
PATIENCE = timedelta(days=12)
DAY = timedelta(days=1)
#: The longer it was since the last step, the more people did, up to so much.
_MINUTES_OF_A_DEED, _DEEDS_AT_ONCE = 240, 9


class Failed(Exception):
    """A run that found a mistake: what, at which step, and how to see it again."""


def simulate(
    options: Options,
    *,
    meddle: Callable[[World], None] = lambda world: None,
) -> Report:
    """Run it and return its report. Raises Failed.

    `meddle` is called after each step and before its checks; tests show with it that a mistake is
    found. The database must be empty but for what migrations left there.
    """
    chance, clock = Chance(options.seed), Clock(START)
    report = Report(options)
    _forget()
    with (
        tempfile.TemporaryDirectory() as folder,
        override_settings(
            # Renewals are charged one after the other, by the thread that opens them.
            RENEWAL_THREADS=0,
            EMAIL_BACKEND="simulation.mail_server.Backend",
            # Without a platform that listens no events are kept for it.
            PLATFORM_WEBHOOK_URL="",
            PLATFORM_WEBHOOK_SECRET="",
            CHARGE_TAX=chance.happens(0.7),
            TAX_RATES={"OM": Decimal(5), "AE": Decimal("7.5")},
        ),
        mock.patch.object(documents, "draw", return_value=b"%PDF-")
        if options.is_quick
        else nullcontext(),
        checks.listening() as complaints,
        determined(chance, clock),
    ):
        world = World(options, chance=chance, clock=clock, report=report, folder=Path(folder))
        try:
            with connected(world.stripe, world.faults):
                _Run(options, world, complaints, meddle).run()
        except Exception as error:
            raise Failed(_told(options, report, error)) from error
        finally:
            world.close()
    return report


def _forget() -> None:
    """A process has seen nothing yet, whatever it did before."""
    cache.clear()
    ContentType.objects.clear_cache()


def _told(options: Options, report: Report, error: Exception) -> str:
    return "\n".join(
        [
            *report.trail[-12:],
            f"FAILED seed {options.seed} at step {report.steps}: {_why(error)}",
            f"Replay: {options.command}",
        ]
    )


def _why(error: Exception) -> str:
    """What does not hold; of a mistake that nobody expected, where it was made."""
    if isinstance(error, Broken):
        return str(error)
    return "".join(traceback.format_exception(error))


class _Run:
    """The days of a world."""

    def __init__(
        self,
        options: Options,
        world: World,
        complaints: Complaints,
        meddle: Callable[[World], None],
    ) -> None:
        self._options, self._world, self._complaints = options, world, complaints
        self._meddle = meddle
        self._chance, self._clock = world.chance, world.clock
        self._end = START + options.days * DAY
        self._audited_on = START.date()

    def run(self) -> None:
        """Open the portal, live, heal, and take stock."""
        world = self._world
        world.stripe.set_clock(self._clock.true)
        catalogue.load(now=self._clock.now)
        world.faults.rate = 0
        registered = webhook_endpoint.register_endpoint(portal_url=settings.PORTAL_URL)
        world.faults.rate = self._options.rate
        world.courier.listen(registered.endpoint.url, signing_secret_of(registered.endpoint))
        self._customers = [Customer(world, each + 1) for each in range(self._options.accounts)]
        self._staff = Staff(world)
        self._banks = Banks(world, self._customers)
        self._platform = Platform(world, self._customers)
        world.somebody_acts = self._somebody_acts
        while self._clock.true < self._end:
            self._step()
        self._heal()
        self._take_stock()

    def _step(self) -> None:
        """Let some time pass, and something happen; then what is due happens, too."""
        began = self._clock.now
        minutes = min(self._chance.about(self._options.pace), 6 * self._options.pace)
        self._world.let_time_pass(timedelta(minutes=1 + int(minutes)))
        for _ in range(1 + min(int(minutes) // _MINUTES_OF_A_DEED, _DEEDS_AT_ONCE)):
            self._somebody_acts()
            self._world.courier.bring()
        self._world.workers.tick()
        self._check(since=min(began, self._clock.now))

    def _somebody_acts(self) -> None:
        actor = self._chance.weighed(
            [(50, "customer"), (20, "platform"), (14, "staff"), (16, "bank")]
        )
        if actor == "customer":
            self._chance.one_of(self._customers).act()
        elif actor == "platform":
            self._platform.report()
        elif actor == "staff":
            self._staff.act()
        else:
            self._banks.act()

    def _check(self, *, since: datetime) -> None:
        self._meddle(self._world)
        now = self._clock.latest
        checks.after_a_step(now=now, since=since, complaints=self._complaints)
        today = self._clock.true.date()
        if today != self._audited_on:
            self._audited_on = today
            if not self._options.is_quick or today.weekday() == 0:
                checks.of_everything(now=now)

    def _heal(self) -> None:
        """Nothing goes wrong any more: whatever was begun comes to its end by itself."""
        world = self._world
        world.heal()
        self._platform.report_the_rest()
        at_least_until, until = self._clock.true + DAY, self._clock.true + PATIENCE
        while True:
            began = self._clock.now
            world.let_time_pass(timedelta(hours=4))
            self._banks.settle_all_refunds()
            world.courier.bring()
            world.workers.tick()
            self._check(since=began)
            is_over = (
                not world.courier.waiting
                and world.mail.has_everything()
                and not checks.unfinished()
            )
            if self._clock.true > until or (is_over and self._clock.true > at_least_until):
                return

    def _take_stock(self) -> None:
        world, report = self._world, self._world.report
        self._platform.check()
        world.mail.check()
        books = checks.in_the_end(at_hand=world.stripe, now=self._clock.latest)
        report.faults = {
            str(name): count
            for counts in (
                world.faults.counts,
                world.workers.counts,
                world.courier.counts,
                world.mail.counts,
            )
            for name, count in counts.items()
        } | ({"the clock jumped": world.jumps} if world.jumps else {})
        report.came_of_it = kinds.of_what_came_of_it()
        report.facts = _payments() | {
            "webhooks": str(world.courier.delivered),
            "tasks": str(sum(world.workers.ran.values())),
            "e-mails": str(len(world.mail.taken)),
            "captured": f"{books.captured} baisa",
            "refunded": f"{books.refunded} baisa",
            "held by banks": f"{books.disputed} baisa",
        }
        report.drift = Decimal(books.drift) / 1000 / settings.USD_TO_OMR
        report.state(_state())


def _payments() -> dict[str, str]:
    """How many payments of each purpose were paid, or failed."""
    told = Counter(Transaction.objects.values_list("purpose", "status"))
    return {
        purpose: ", ".join(
            f"{told[purpose, status]} {status}"
            for status in ("paid", "failed", "checkout")
            if told[purpose, status]
        )
        for purpose in sorted({purpose for purpose, _ in told})
    }


def _state() -> list[str]:
    """How everybody stands, without ids."""
    wallets = Wallet.objects.order_by("account__external_id")
    lines = [f"{each.account.external_id} {each.balance}" for each in wallets]
    for account in Account.objects.order_by("external_id"):
        lines += [
            f"{each.purpose} {each.status} {each.amount} {each.refunded_amount} {each.created_at}"
            for each in Transaction.objects.filter(account=account).order_by("pk")
        ]
    return lines
