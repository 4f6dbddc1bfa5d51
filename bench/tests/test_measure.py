"""The bench's own arithmetic: a bench that counts wrong is worse than none."""

import pytest

from bench.measure import Goal, Measure, Run, Verdict, ratios, show


@pytest.fixture
def run() -> Run:
    return Run(full=False, rounds=3, say=lambda text: None)


def test_a_ratio_is_one_of_the_same_round() -> None:
    assert ratios([10, 30, 20], [5, 10, 40]) == [2, 3, 0.5]
    with pytest.raises(ValueError):
        ratios([1, 2], [1])


def test_the_median_is_the_middle_and_the_spread_goes_from_least_to_most() -> None:
    measure = Measure("ours", "records/s", [900, 20_000, 13_800])
    assert measure.median == 13_800
    assert measure.shown == "13,800 records/s"
    assert measure.spread == "900 – 20,000"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.634, "%", "63 %"),
        (7.5, "×", "7.50 ×"),
        (112.4, "×", "112 ×"),
        (14.86, "ms", "14.9 ms"),
        (1234.5, "MB", "1,234 MB"),
        (0.0123, "s", "0.0123 s"),
    ],
)
def test_values_are_written_with_as_much_as_can_be_known(
    value: float, unit: str, text: str
) -> None:
    assert show(value, unit) == text


@pytest.mark.parametrize(
    ("value", "verdict", "told"),
    [
        (0.80, Verdict.MET, "met"),
        (0.61, Verdict.MET, "met"),
        (0.57, Verdict.CLOSE, "missed by 5 %"),
        (0.54, Verdict.CLOSE, "missed by 10 %"),
        (0.53, Verdict.MISSED, "missed by 12 %"),
    ],
)
def test_at_least_60_percent(run: Run, value: float, verdict: Verdict, told: str) -> None:
    goal = run.goal(1, "batches / COPY", "%", [0, value, 1], at_least=0.6)
    assert (goal.verdict, goal.told, goal.wanted) == (verdict, told, "at least 60 %")


@pytest.mark.parametrize(
    ("value", "verdict", "told"),
    [
        (3.2, Verdict.MET, "met"),
        (15.0, Verdict.MET, "met"),
        (16.0, Verdict.CLOSE, "missed by 7 %"),
        (18.0, Verdict.MISSED, "missed by 20 %"),
    ],
)
def test_at_most_15_milliseconds(run: Run, value: float, verdict: Verdict, told: str) -> None:
    goal = run.goal(3, "authorization, p99", "ms", [value], at_most=15)
    assert (goal.verdict, goal.told, goal.wanted) == (verdict, told, "at most 15 ms")
    assert goal.spread == "one round"


def test_a_goal_has_one_bound_and_something_was_measured() -> None:
    with pytest.raises(ValueError, match="either at least or at most"):
        Goal("p99", "ms", [1], number=3)
    with pytest.raises(ValueError, match="either at least or at most"):
        Goal("p99", "ms", [1], number=3, at_least=1, at_most=2)
    with pytest.raises(ValueError, match="nothing was measured"):
        Measure("p99", "ms", [])
