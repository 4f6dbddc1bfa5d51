"""What a run did: the same for the same seed, byte for byte."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from simulation import kinds
from simulation.options import Options


@dataclass
class Report:
    """Counts, sums, and a digest of every step. No clock but the virtual one, no random id."""

    options: Options
    steps: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, int] = field(default_factory=dict)
    #: What nobody does by themselves, and how often it came about.
    came_of_it: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    drift: Decimal = Decimal(0)
    #: The last steps in words, for whoever looks into a failure.
    trail: list[str] = field(default_factory=list)
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256, repr=False)

    def note(self, at: datetime, who: str, act: str, outcome: str) -> None:
        """Add a step. A deed that kinds.py does not know is a mistake there."""
        assert act in kinds.DEEDS, act
        self.steps += 1
        self.outcomes[f"{act}: {outcome}"] += 1
        line = f"{self.steps:6} {at:%Y-%m-%d %H:%M:%S} {who} {act}: {outcome}"
        self.trail.append(line)
        self._digest.update(line.encode())

    def state(self, lines: list[str]) -> None:
        """Add how things stand in the end."""
        for line in lines:
            self._digest.update(line.encode())

    def kinds(self) -> dict[str, int]:
        """Return how often each kind of deed, of what comes of them and of fault came about."""
        faults = {str(name): self.faults.get(str(name), 0) for name in kinds.FAULTS}
        return kinds.of_deeds(self.outcomes) | self.came_of_it | faults

    def lines(self) -> list[str]:
        """Return it as text."""
        return [
            f"seed {self.options.seed}, {self.options.accounts} accounts, "
            f"{self.options.days} days, faults {self.options.rate:g}",
            f"steps            {self.steps}",
            *_listed("what happened", self.outcomes),
            *_listed("faults survived", self.faults),
            *_listed("came of it", self.came_of_it),
            *(f"{name:<17}{value}" for name, value in self.facts.items()),
            f"drift            ${self.drift:.2f}",
            f"digest           {self._digest.hexdigest()}",
        ]


def _listed(title: str, counts: Mapping[str, int]) -> list[str]:
    """A number and a name on each line."""
    return [
        f"{title:<17}{sum(counts.values())}",
        *(f"  {count:>7} {name}" for name, count in sorted(counts.items())),
    ]
