"""The bench's command: measure, print, keep."""

import argparse
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

from bench import machine, page, set_up
from bench.measure import Run, Verdict
from bench.results import FOLDER, FewerRounds, Results
from bench.scenario import SCENARIOS, find


def main(arguments: Sequence[str]) -> int:
    """Run the scenarios that are asked for; 1 when a goal was missed or one of them failed."""
    options = parse(arguments)
    if options.page:
        write_page(Results())
        return 0
    set_up()
    here = {**machine.describe(), "database": machine.database()}
    print("\n".join(f"{name:<10} {value}" for name, value in here.items()), flush=True)
    began = time.monotonic()
    runs, failed = [], []
    for name in options.names or SCENARIOS:
        measured = measure(name, full=options.full, rounds=options.rounds)
        if measured is None:
            failed.append(name)
            continue
        runs.append(measured[0])
        if not options.no_keep:
            keep(name, *measured, here=here, overwrite=options.overwrite)
    return conclude(runs, failed, seconds=time.monotonic() - began)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what is asked for; ends the program when it is nothing that there is."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="scenario", help=", ".join(SCENARIOS))
    parser.add_argument("--full", action="store_true", help="the full form: more rounds and rows")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--overwrite", action="store_true", help="keep it, even of fewer rounds")
    parser.add_argument("--page", action="store_true", help="write RESULTS.md anew, and no more")
    parser.add_argument("--no-keep", action="store_true", help="print only")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(SCENARIOS):
        parser.error(f"no scenario is called {', '.join(sorted(unknown))}")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds is at least 1")
    return options


def measure(name: str, *, full: bool, rounds: int | None) -> tuple[Run, float] | None:
    """Run a scenario; return its run and the seconds it took, or None when it failed."""
    scenario = find(name)
    usual = scenario.full_rounds if full else scenario.rounds
    run = Run(
        full=full,
        rounds=rounds or usual,
        say=lambda text: print(f"  {text}", flush=True),
        title=scenario.title,
        meaning=scenario.meaning,
    )
    print(f"\n{name}: {scenario.title} ({run.rounds_shown})", flush=True)
    began = time.monotonic()
    try:
        scenario.run(run)
    except Exception:  # noqa: BLE001  (the other scenarios are measured all the same)
        traceback.print_exc()
        return None
    seconds = time.monotonic() - began
    print(f"\n{page.report(run)}\n\n{name} took {seconds:.0f} s", flush=True)
    return run, seconds


def keep(name: str, run: Run, seconds: float, *, here: dict[str, str], overwrite: bool) -> None:
    """Keep a run, and render the page from all that are kept."""
    results = Results()
    try:
        results.keep(
            name, run, now=datetime.now(UTC), machine=here, seconds=seconds, overwrite=overwrite
        )
    except FewerRounds as refusal:
        print(f"\nNOT KEPT. {refusal}", flush=True)
        return
    write_page(results)


def write_page(results: Results) -> None:
    """Write RESULTS.md from what is kept and from NOTES.md."""
    (FOLDER / "RESULTS.md").write_text(page.render(results))


def conclude(runs: Sequence[Run], failed: Sequence[str], *, seconds: float) -> int:
    """Print what became of all goals and return the exit status."""
    goals = [goal for run in runs for goal in run.goals]
    missed = [goal for goal in goals if goal.verdict is Verdict.MISSED]
    met = sum(goal.verdict is Verdict.MET for goal in goals)
    failures = f", {', '.join(failed)} failed" if failed else ""
    print(
        f"\n{met} of {len(goals)} goals met, {len(missed)} missed by more than 10 %{failures}; "
        f"{seconds:.0f} s",
        flush=True,
    )
    return 1 if missed or failed else 0
