"""What a scenario reports: measures and goals, their medians and spreads, and the verdict."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

#: A goal that is missed by no more than this is told, and fails nothing: machines differ.
TOLERANCE: Final = 0.10


class Verdict(StrEnum):
    """What became of a goal."""

    MET = "met"
    CLOSE = "close"
    MISSED = "missed"


def show(value: float, unit: str) -> str:
    """Write a value with its unit; ratios are written as `63 %` or `7.5 ×`."""
    if unit == "%":
        return f"{value * 100:.0f} %"
    if unit == "×":
        return f"{value:.2f} ×" if value < 10 else f"{value:.0f} ×"
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
    return f"{number} {unit}".rstrip()


@dataclass(frozen=True)
class Measure:
    """What was measured: one value for each round."""

    name: str
    unit: str
    values: Sequence[float]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.name}: nothing was measured.")

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.values)

    @property
    def shown(self) -> str:
        """The median, written."""
        return show(self.median, self.unit)

    @property
    def spread(self) -> str:
        """Least and most, written."""
        if len(self.values) == 1:
            return "one round"
        return f"{show(min(self.values), '' if self.unit not in '%×' else self.unit)} – " + show(
            max(self.values), "" if self.unit not in "%×" else self.unit
        )


@dataclass(frozen=True)
class Goal(Measure):
    """A measure that is to be at least, or at most, something. `number` is the issue's."""

    number: int = 0
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.name}: a goal is either at least or at most something.")

    @property
    def wanted(self) -> str:
        """The goal, written."""
        if self.at_least is not None:
            return f"at least {show(self.at_least, self.unit)}"
        assert self.at_most is not None
        return f"at most {show(self.at_most, self.unit)}"

    @property
    def missed_by(self) -> float:
        """How far the median is on the wrong side, as a part of the goal; 0 when it is met."""
        if self.at_least is not None:
            return max(0.0, 1 - self.median / self.at_least)
        assert self.at_most is not None
        return max(0.0, self.median / self.at_most - 1)

    @property
    def verdict(self) -> Verdict:
        """Met; missed by no more than the tolerance; or missed."""
        if not self.missed_by:
            return Verdict.MET
        return Verdict.CLOSE if self.missed_by <= TOLERANCE else Verdict.MISSED

    @property
    def told(self) -> str:
        """The verdict, written."""
        if self.verdict is Verdict.MET:
            return "met"
        return f"missed by {self.missed_by * 100:.0f} %"


@dataclass
class Run:
    """A run of one scenario: what it is asked for, and what it reports.

    `rounds` is how often everything is measured, in turn: a ratio is one of the same round.
    """

    full: bool
    rounds: int
    say: Callable[[str], None]
    title: str = ""
    meaning: str = ""
    dataset: str = ""
    goals: list[Goal] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def rounds_shown(self) -> str:
        """How many rounds, written."""
        return "one round" if self.rounds == 1 else f"{self.rounds} rounds"

    def measure(self, name: str, unit: str, values: Sequence[float]) -> Measure:
        """Report a measure."""
        measure = Measure(name, unit, list(values))
        self.measures.append(measure)
        self.say(f"{name}: {measure.shown} ({measure.spread})")
        return measure

    def goal(
        self,
        number: int,
        name: str,
        unit: str,
        values: Sequence[float],
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> Goal:
        """Report how a goal was done: ratios with the unit `%` (0.4 is 40 %) or `×`."""
        goal = Goal(name, unit, list(values), number=number, at_least=at_least, at_most=at_most)
        self.goals.append(goal)
        self.say(f"goal {number}, {name}: {goal.shown}, {goal.wanted}: {goal.told}")
        return goal

    def note(self, text: str) -> None:
        """Report what a reader has to know of how it was measured."""
        self.notes.append(text)

    def leave_out(self, text: str) -> None:
        """Report what the short form can't measure honestly."""
        self.left_out.append(text)

    def as_json(self) -> dict[str, Any]:
        """Return what is kept of the run."""
        return {
            "rounds": self.rounds,
            "title": self.title,
            "meaning": self.meaning,
            "dataset": self.dataset,
            "goals": [
                {**_plain(goal), "number": goal.number, "at_least": goal.at_least,
                 "at_most": goal.at_most}
                for goal in self.goals
            ],
            "measures": [_plain(measure) for measure in self.measures],
            "notes": self.notes,
            "left_out": self.left_out,
        }  # fmt: skip

    @classmethod
    def from_json(cls, kept: dict[str, Any], *, full: bool) -> Self:
        """Return a run that was kept."""
        return cls(
            full=full,
            rounds=kept["rounds"],
            say=lambda text: None,
            title=kept["title"],
            meaning=kept["meaning"],
            dataset=kept["dataset"],
            goals=[Goal(**goal) for goal in kept["goals"]],
            measures=[Measure(**measure) for measure in kept["measures"]],
            notes=kept["notes"],
            left_out=kept["left_out"],
        )


def _plain(measure: Measure) -> dict[str, Any]:
    values = [float(f"{value:.6g}") for value in measure.values]
    return {"name": measure.name, "unit": measure.unit, "values": values}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return ours for one of theirs, round by round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]
