"""How results are shown: a table in the terminal, and RESULTS.md."""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from bench.measure import Goal, Measure, Run, Verdict
from bench.results import FOLDER, Results
from bench.scenario import SCENARIOS

_GOAL_COLUMNS: Final = ("Goal", "What", "Wanted", "Median", "Spread", "Verdict")
_MEASURE_COLUMNS: Final = ("Measured", "Median", "Spread")


def goal_rows(goals: Iterable[Goal]) -> list[tuple[str, ...]]:
    """Return the table of goals, a row each."""
    return [
        (str(goal.number), goal.name, goal.wanted, goal.shown, goal.spread, goal.told)
        for goal in goals
    ]


def measure_rows(measures: Iterable[Measure]) -> list[tuple[str, ...]]:
    """Return the table of what was measured, a row each."""
    return [(measure.name, measure.shown, measure.spread) for measure in measures]


def terminal_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for the terminal."""
    widths = [max(len(row[at]) for row in (columns, *rows)) for at in range(len(columns))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, ["-" * width for width in widths], *rows)
    ]
    return "\n".join(lines)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for a page."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def report(run: Run) -> str:
    """Return what the terminal shows of a run."""
    parts = [terminal_table(_MEASURE_COLUMNS, measure_rows(run.measures))]
    if run.goals:
        parts.append(terminal_table(_GOAL_COLUMNS, goal_rows(run.goals)))
    parts += [f"Dataset: {run.dataset}"] if run.dataset else []
    parts += [f"Note: {text}" for text in run.notes]
    parts += [f"Left to the full form: {text}" for text in run.left_out]
    return "\n\n".join(parts)


def render(results: Results, notes: Path = FOLDER / "NOTES.md") -> str:
    """Return RESULTS.md: what each goal means, the tables, and what is written by hand."""
    shown = {name: best for name in SCENARIOS if (best := results.best(name)) is not None}
    parts = [
        "# What was measured",
        "Made by `make bench` (the short form) and `make bench ARGS=--full`; "
        "[README.md](README.md) says how to run and read it, and the last part of this page is "
        "[NOTES.md](NOTES.md), written by hand. Read the ratios: figures are of this machine at "
        "that moment. A ratio is one of the same round, and its median and spread are over the "
        "rounds.",
        "## The goals",
        _all_goals(shown),
    ]
    for name, (run, kept) in shown.items():
        parts += _section(name, run, kept)
    if notes.exists():
        parts.append(notes.read_text().strip())
    return "\n\n".join(parts) + "\n"


def _all_goals(shown: dict[str, tuple[Run, dict[str, Any]]]) -> str:
    rows = sorted(
        ((*row, f"[{name}](#{name})") for name, (run, _) in shown.items()
         for row in goal_rows(run.goals)),
        key=lambda row: int(row[0]),
    )  # fmt: skip
    marked = [(*row[:5], f"**{row[5]}**" if row[5] != Verdict.MET else row[5], row[6])
              for row in rows]  # fmt: skip
    return markdown_table((*_GOAL_COLUMNS, "Scenario"), marked)


def _section(name: str, run: Run, kept: dict[str, Any]) -> list[str]:
    machine = kept["machine"]
    form = "full form" if run.full else "short form"
    parts = [
        f"## {name}",
        f"*{run.title}.* {textwrap.dedent(run.meaning).strip()}",
        markdown_table(_MEASURE_COLUMNS, measure_rows(run.measures)),
    ]
    if run.notes:
        parts.append("\n".join(f"- {text}" for text in run.notes))
    if run.left_out:
        parts.append("Left to the full form:\n\n" + "\n".join(f"- {t}" for t in run.left_out))
    parts.append(
        f"Measured {kept['measured_at'][:16].replace('T', ' ')} UTC, {form}, {run.rounds_shown}, "
        f"{kept['seconds']} s, commit {machine['commit']}. Dataset: {run.dataset}. "
        f"{machine['database']}; Python {machine['python']}, {machine['packages']}. "
        f"{machine['processor']}, {machine['memory']}, {machine['system']}; "
        f"{machine['disk']}; load {machine['load']}."
    )
    return parts
