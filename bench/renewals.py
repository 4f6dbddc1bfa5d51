"""Goal 5: very many renewals, charged as quickly as a gateway allows, and killed on the way."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import psutil  # type: ignore[import-untyped]
from django.conf import settings
from django.utils import timezone

from accounts import gateway
from bench import due_dataset
from bench.database import empty_database
from bench.machine import ROOT
from bench.measure import Run
from bench.renewing import THREADS, Renewing
from bench.scenario import Scenario
from billing_portal import audit
from invoices import sweeper
from invoices.models import Purpose, Status, Transaction
from plans.models import Renewal, RenewalStatus

LIMIT: Final = 80
MILLISECONDS: Final = 150
PROCESSES: Final = 2
_TELL_SECONDS: Final = 10


class Renewals(Scenario):
    """A run of renewals against a slow gateway with a limit."""

    title = "Renewals, from the end of a period to its receipt"
    meaning = f"""
        Goal 5: subscriptions whose period has ended, each with a card. {PROCESSES} processes of
        {THREADS} threads share them, as `manage.py renew` run twice does, {LIMIT} charges a second
        at most in all: they open the periods, charge, settle, grant, number receipts and record
        what is to be told. A stand-in for Stripe, a
        process of its own, answers after {MILLISECONDS} ms, notes when each charge arrives, and
        refuses (429) what is one too many in any second. "Held" is from the first charge to the
        last. Then the same with SIGKILL at random moments, begun again each time; at last the
        sweeper asks about what was left open. After both: each renewal is paid once, the stand-in
        has one charge for each, under one key, and the audit is clean.
        """
    rounds = full_rounds = 1

    def run(self, run: Run) -> None:
        """Measure the pace and the memory, then kill."""
        number, to_kill, kills = (100_000, 3_000, 12) if run.full else (500, 150, 2)
        run.dataset = f"{number:,} due subscriptions; {to_kill:,} of them killed {kills} times"
        with empty_database("renewals"), _stand_in() as stripe:
            due_dataset.make(number)
            seen = _watch(stripe, number, run)
            _assert_paid_once(stripe, number)
            assert stripe.told()["asked_again"] == 0, "A charge was asked for twice."
        _report(run, seen)
        with empty_database("renewals_killed"), _stand_in() as stripe:
            due_dataset.make(to_kill)
            _kill(stripe, to_kill, kills, run)
            _assert_paid_once(stripe, to_kill)
        run.note(
            f"Killed {kills} times at random moments: each renewal paid once, one charge for each."
        )


# The stand-in ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Stripe:
    url: str

    def told(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/told", timeout=10) as answer:
            return dict(json.load(answer))


@contextmanager
def _stand_in() -> Iterator[_Stripe]:
    """Start the stand-in, and have this process's gateway talk to it as well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.stripe_stand_in", "--port", str(port),
         "--limit", str(LIMIT), "--milliseconds", str(MILLISECONDS)],
        cwd=ROOT,
    )  # fmt: skip
    stripe = _Stripe(f"http://127.0.0.1:{port}")
    before, settings.STRIPE_API_BASE = settings.STRIPE_API_BASE, stripe.url
    gateway.client.cache_clear()
    try:
        deadline = time.monotonic() + 20
        while True:
            with suppress(OSError):
                stripe.told()
                break
            assert time.monotonic() < deadline, "The stand-in does not answer."
            time.sleep(0.05)
        yield stripe
    finally:
        process.terminate()
        process.wait(timeout=10)
        settings.STRIPE_API_BASE = before
        gateway.client.cache_clear()


@contextmanager
def _renewing(stripe: _Stripe) -> Iterator[Renewing]:
    with (
        (ROOT / ".data" / "bench" / "renewals.log").open("ab") as log,
        Renewing(stripe_url=stripe.url, charges_per_second=LIMIT, log=log) as renewing,
    ):
        yield renewing


# Pace and memory ------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Seen:
    """What was seen of a run: megabytes over time, and what the stand-in told."""

    memory: list[float]
    cpu_seconds: float
    told: dict[str, Any]

    @property
    def held(self) -> float:
        """Charges a second, from the first to the last."""
        return (self.told["charges"] - 1) / (self.told["last_at"] - self.told["first_at"])


def _watch(stripe: _Stripe, number: int, run: Run) -> _Seen:
    """Have PROCESSES renew all of it; say how far they are."""
    memory: list[float] = []
    cpu_seconds: dict[int, float] = {}
    with ExitStack() as stack:
        renewing = [stack.enter_context(_renewing(stripe)) for _ in range(PROCESSES)]
        processes = [psutil.Process(each.begin()) for each in renewing]
        said_at = time.monotonic()
        while alive := [process for process in processes if _is_alive(process)]:
            for process in alive:
                cpu_seconds[process.pid] = sum(process.cpu_times()[:2])
            told = stripe.told()
            if told["charges"]:
                memory.append(max(process.memory_info().rss for process in alive) / 1024**2)
            if time.monotonic() - said_at > _TELL_SECONDS and memory:
                said_at = time.monotonic()
                pace = told["charges"] / max(1, told["now"] - told["first_at"])
                far = f"{told['charges']:,} of {number:,}"
                run.say(f"{far}, {pace:.1f} a second, {memory[-1]:.0f} MB")
            time.sleep(0.5)
        for each in renewing:
            status = each.ended()
            assert status == 0, f"A run ended with {status}: see .data/bench/renewals.log."
    return _Seen(memory, sum(cpu_seconds.values()), stripe.told())


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def _report(run: Run, seen: _Seen) -> None:
    told = seen.told
    run.measure("held, by all processes", "charges/s", [seen.held])
    run.goal(5, "held / the gateway's limit", "%", [seen.held / LIMIT], at_least=0.9)
    run.goal(
        5,
        "most charges in any one second / the limit",
        "%",
        [(told["most_in_a_second"] + told["refused"]) / LIMIT],
        at_most=1.0,
    )
    tenth = max(1, len(seen.memory) // 10)
    start, middle, end = (
        seen.memory[tenth], seen.memory[len(seen.memory) // 2], seen.memory[-1]
    )  # fmt: skip
    for name, value in (("a tenth", start), ("half", middle), ("the end", end)):
        run.measure(f"memory of the larger process, at {name}", "MB", [value])
    if run.full:
        run.goal(5, "memory at the end / at a tenth", "×", [end / start], at_most=1.1)
    else:
        run.leave_out(f"That memory stays flat: {told['charges']:,} renewals say little.")
    run.measure(
        "processor time of the run", "ms/charge", [seen.cpu_seconds / told["charges"] * 1e3]
    )
    run.note(f"The stand-in refused {told['refused']} charges as one too many in a second.")


# Killed ---------------------------------------------------------------------------------------
def _kill(stripe: _Stripe, number: int, kills: int, run: Run) -> None:
    """Begin a run and kill it, so many times; let the last one end and the sweeper do the rest.

    One process: another would do the work of the one that was killed.
    """
    choose = random.Random(number)
    share = number / (kills + 1) / LIMIT
    with _renewing(stripe) as renewing:
        for _ in range(kills):
            process = renewing.begin()
            time.sleep(choose.uniform(0.3, 1.7) * share)
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            status = renewing.ended()
            told = stripe.told()
            assert status == -signal.SIGKILL, f"It had ended, with {status}, before it was killed."
            run.say(f"killed after {told['charges']:,} of {number:,} charges")
        renewing.begin()
        renewing.ended()
    left = Transaction.objects.filter(status=Status.PROCESSING).count()
    later = timezone.now() + timedelta(minutes=2)
    while sweeper.sweep(now=later):
        later += timedelta(minutes=20)
    told = stripe.told()
    run.say(f"{left} were left to the sweeper; {told['asked_again']} charges were asked for again")


def _assert_paid_once(stripe: _Stripe, number: int) -> None:
    """Each renewal is paid by one transaction, and each of these is one charge at the stand-in."""
    told = stripe.told()
    assert (told["charges"], told["charged_twice"]) == (number, 0), told
    due = Renewal.objects.filter(account__external_id__startswith="due-", number=2)
    assert due.filter(status=RenewalStatus.PAID, amount__gt=0).count() == due.count() == number
    charges = Transaction.objects.filter(purpose=Purpose.RENEWAL)
    assert charges.filter(status=Status.PAID).count() == charges.count() == number
    assert charges.values("stripe_payment_intent_id").distinct().count() == number
    violations = [str(violation) for violation in audit.run(now=timezone.now())]
    assert violations == [], violations[:10]
