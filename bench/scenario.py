"""What a scenario is, and which there are."""

from abc import ABC, abstractmethod
from importlib import import_module
from typing import ClassVar, Final

from bench.measure import Run

#: In the order in which they are run: name and class. A new scenario is one line here.
SCENARIOS: Final = {
    "ingest": "bench.ingest.Ingest",
    "floor": "bench.floor.Floor",
    "http": "bench.http.Http",
    "memory": "bench.memory.Memory",
    "renewals": "bench.renewals.Renewals",
    "growth": "bench.growth.Growth",
    "admin": "bench.admin.Admin",
    "pages": "bench.pages.Pages",
}


class Scenario(ABC):
    """One thing that is measured, by itself, on a database of its own."""

    title: ClassVar[str]
    #: What the issue's goals that this measures mean, for a reader of RESULTS.md. Markdown.
    meaning: ClassVar[str]
    #: How often everything is measured in the short form and in the full one.
    rounds: ClassVar[int] = 5
    full_rounds: ClassVar[int] = 15

    @abstractmethod
    def run(self, run: Run) -> None:
        """Measure, and report to `run`. Raises AssertionError when an invariant is broken."""


def find(name: str) -> Scenario:
    """Return a scenario by name. Raises KeyError."""
    module, _, scenario = SCENARIOS[name].rpartition(".")
    found: Scenario = getattr(import_module(module), scenario)()
    return found
