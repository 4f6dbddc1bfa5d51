"""Runs, each in a process and on a database of its own; what they come to in all."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from decimal import Decimal

from simulation import database, kinds
from simulation.options import Options

#: How many more seeds are run when those that were asked for do not have everything.
_MOST_MORE = 4
#: A run, whether all held, and what it said.
Done = tuple[Options, bool, str]


@dataclass
class Total:
    """What all runs came to."""

    runs: int = 0
    failed: int = 0
    steps: int = 0
    drift: Decimal = Decimal(0)
    #: How often each kind of deed, of what comes of them and of fault came about.
    kinds: Counter[str] = field(default_factory=Counter)
    #: What the runs that were to have everything did not have.
    never: list[str] = field(default_factory=list)
    _had: dict[int, set[str]] = field(default_factory=dict)

    def add(self, seed: int, told: str) -> None:
        """Add a run's totals, which are its last line."""
        totals = json.loads(told)
        self.steps += totals["steps"]
        self.drift += Decimal(totals["drift"])
        self.kinds.update(totals["kinds"])
        self._had[seed] = {name for name, count in totals["kinds"].items() if count}

    def missing(self, seeds: Collection[int]) -> list[str]:
        """Return what came about in none of these runs, but for what is rare anyhow."""
        had = set().union(kinds.RARE, *(self._had.get(seed, ()) for seed in seeds))
        return [name for name in self.kinds if name not in had]

    def lines(self) -> Iterator[str]:
        """Return it as text."""
        yield f"{self.runs} runs, {self.failed} found a mistake, {self.steps} steps"
        for name, count in self.kinds.items():
            yield f"  {count:>8} {name}"
        came = sum(bool(count) for count in self.kinds.values())
        yield f"{came} of {len(self.kinds)} kinds of deed, of what came of them and of fault"
        yield f"drift ${self.drift:.2f}"


def run(
    wanted: Iterator[Options],
    *,
    url: str,
    minutes: float,
    processes: int,
    say: Callable[[str], object],
    whole: Sequence[int] = (),
) -> Total:
    """Run what is wanted, for so many minutes if there is no end to it; return the totals.

    While the runs of the seeds in `whole` together miss a kind of deed or fault, the next seeds are
    run, too, up to a bound.
    """
    until = time.monotonic() + minutes * 60 if minutes else None
    total = Total()
    under_way: set[Future[Done]] = set()
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
        seeds = list(whole)
        while whole and len(seeds) < len(whole) + _MOST_MORE and total.missing(seeds):
            say(f"Missing: {', '.join(total.missing(seeds))}")
            for _ in range(processes):
                seeds.append(max(seeds) + 1)
                more = replace(options, seed=seeds[-1])
                say(f"Begins: {more.command}")
                under_way.add(pool.submit(_run, more, url))
            while under_way:
                under_way = _collect(under_way, total, say)
    total.never = total.missing(seeds)
    for line in total.lines():
        say(line)
    return total


def _collect(
    under_way: set[Future[Done]], total: Total, say: Callable[[str], object]
) -> set[Future[Done]]:
    done, left = wait(under_way, return_when=FIRST_COMPLETED)
    for each in done:
        options, held, told = each.result()
        total.runs += 1
        if held:
            *report, totals = told.splitlines()
            total.add(options.seed, totals)
            say("\n".join(report) + "\n")
        else:
            total.failed += 1
            say(told)
    return left


def _run(options: Options, url: str) -> Done:
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
    return options, done.returncode == 0, done.stdout
