"""Runs, each in a process and on a database of its own; what they come to in all."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from decimal import Decimal

from simulation import database
from simulation.options import Options


@dataclass
class Total:
    """What all runs came to."""

    runs: int = 0
    failed: int = 0
    steps: int = 0
    drift: Decimal = Decimal(0)
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, told: str) -> None:
        """Add a run's totals, which are its last line."""
        totals = json.loads(told)
        self.steps += totals["steps"]
        self.drift += Decimal(totals["drift"])
        self.faults.update(totals["faults"])

    def lines(self) -> Iterator[str]:
        """Return it as text."""
        yield f"{self.runs} runs, {self.failed} found a mistake, {self.steps} steps"
        for name, count in sorted(self.faults.items()):
            yield f"  {count:>8} {name}"
        yield f"drift ${self.drift:.2f}"


def run(
    wanted: Iterator[Options],
    *,
    url: str,
    minutes: float,
    processes: int,
    say: Callable[[str], object],
) -> int:
    """Run what is wanted, for so many minutes if there is no end to it; return how many failed."""
    until = time.monotonic() + minutes * 60 if minutes else None
    total = Total()
    under_way: set[Future[tuple[bool, str]]] = set()
    database.prepare(url, say)
    with ThreadPoolExecutor(processes) as pool:
        for options in wanted:
            if until is not None and time.monotonic() >= until:
                break
            say(f"Begins: {options.command}")
            under_way.add(pool.submit(_run, options, url))
            if len(under_way) == processes:
                under_way = _collect(under_way, total, say)
        while under_way:
            under_way = _collect(under_way, total, say)
    for line in total.lines():
        say(line)
    return total.failed


def _collect(
    under_way: set[Future[tuple[bool, str]]], total: Total, say: Callable[[str], object]
) -> set[Future[tuple[bool, str]]]:
    done, left = wait(under_way, return_when=FIRST_COMPLETED)
    for each in done:
        held, told = each.result()
        total.runs += 1
        if held:
            *report, totals = told.splitlines()
            total.add(totals)
            say("\n".join(report) + "\n")
        else:
            total.failed += 1
            say(told)
    return left


def _run(options: Options, url: str) -> tuple[bool, str]:
    """Run one and return whether all held, and what it says."""
    with database.of_a_run(url, seed=options.seed) as own:
        done = subprocess.run(
            [sys.executable, "-m", "simulation", *options.arguments],
            cwd=database.ROOT,
            env=database.environment(own),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    return done.returncode == 0, done.stdout
