"""What is kept from run to run, and the page that is made of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import command, page
from bench.measure import Run
from bench.results import FewerRounds, Results

NOW = datetime(2026, 11, 25, 22, 15, tzinfo=UTC)
MACHINE = {
    "processor": "a processor, 2 cores",
    "memory": "8 GB",
    "disk": "1 ms",
    "load": "0.2",
    "system": "Linux",
    "python": "3.11",
    "packages": "Django 5.2",
    "commit": "abc1234",
    "database": "PostgreSQL 18",
}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results.json")


def a_run(*, full: bool = False, rounds: int = 3, ratio: float = 0.65) -> Run:
    run = Run(
        full=full,
        rounds=rounds,
        say=lambda text: None,
        title="Usage, in process",
        meaning="Goal 1: one writer.",
        dataset="1,000 accounts",
    )
    run.measure("ours", "records/s", [20_000] * rounds)
    run.goal(1, "batches / COPY", "%", [ratio] * rounds, at_least=0.6)
    run.note("The audit was clean.")
    if not full:
        run.leave_out("a million records")
    return run


def keep(results: Results, name: str, run: Run, *, overwrite: bool = False) -> None:
    results.keep(name, run, now=NOW, machine=MACHINE, seconds=12.4, overwrite=overwrite)


def test_a_run_leaves_other_scenarios_and_the_other_form_as_they_are(results: Results) -> None:
    keep(results, "growth", a_run())
    keep(results, "ingest", a_run(full=True, rounds=15, ratio=0.7))
    keep(results, "ingest", a_run(ratio=0.5))
    again = Results(results.file)
    assert set(again.kept) == {"growth", "ingest"}
    assert set(again.kept["ingest"]) == {"full", "short"}
    best = again.best("ingest")
    assert best is not None
    run, kept = best
    assert (run.full, run.rounds, run.goals[0].shown) == (True, 15, "70 %")
    assert (kept["measured_at"], kept["seconds"]) == ("2026-11-25T22:15:00+00:00", 12)
    assert again.best("renewals") is None


def test_fewer_rounds_take_the_place_of_more_only_when_told_to(results: Results) -> None:
    keep(results, "ingest", a_run(rounds=5))
    with pytest.raises(FewerRounds, match="5 rounds of 2026-11-25 are kept, and these were 2"):
        keep(results, "ingest", a_run(rounds=2, ratio=0.9))
    assert Results(results.file).kept["ingest"]["short"]["rounds"] == 5
    keep(results, "ingest", a_run(rounds=2, ratio=0.9), overwrite=True)
    assert Results(results.file).kept["ingest"]["short"]["rounds"] == 2


def test_the_terminal_shows_measures_goals_and_what_is_left_out() -> None:
    shown = page.report(a_run())
    assert "ours      20,000 records/s  20,000 – 20,000" in shown
    assert "1     batches / COPY  at least 60 %  65 %    65 % – 65 %  met" in shown
    assert "Left to the full form: a million records" in shown


def test_the_page_has_the_goals_the_sections_and_what_is_written_by_hand(
    results: Results, tmp_path: Path
) -> None:
    notes = tmp_path / "NOTES.md"
    notes.write_text("## What was tried\n\nUnlogged tables.\n")
    keep(results, "ingest", a_run(ratio=0.5))
    text = page.render(results, notes)
    assert (
        "| 1 | batches / COPY | at least 60 % | 50 % | 50 % – 50 % | **missed by 17 %** "
        "| [ingest](#ingest) |"
    ) in text
    assert "*Usage, in process.* Goal 1: one writer." in text
    assert "| ours | 20,000 records/s | 20,000 – 20,000 |" in text
    assert "2026-11-25 22:15 UTC, short form, 3 rounds, 12 s, commit abc1234" in text
    assert "- The audit was clean." in text
    assert "- a million records" in text
    assert text.endswith("## What was tried\n\nUnlogged tables.\n")


@pytest.mark.parametrize(
    ("ratio", "failed", "status"), [(0.65, [], 0), (0.55, [], 0), (0.5, [], 1), (0.65, ["x"], 1)]
)
def test_the_exit_status_tells_of_a_goal_missed_by_more_than_a_tenth(
    ratio: float, failed: list[str], status: int
) -> None:
    assert command.conclude([a_run(ratio=ratio)], failed, seconds=1) == status


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nothing"], "no scenario is called nothing"),
        (["--rounds", "0"], "--rounds is at least 1"),
    ],
)
def test_what_can_not_be_run_is_refused(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
