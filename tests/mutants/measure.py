"""A pytest plugin that notes which refusals of the database each test brings about.

`python -m pytest -p tests.mutants.measure` writes them to the file that MUTANTS_MEASURED names. The
runner asks the tests that met a rule before all others: they are who would miss it.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.utils import DatabaseErrorWrapper

_FUNCTION = re.compile(r"PL/pgSQL function (\w+)\(")


class Measurement:
    """What the tests of one run met."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.test = ""
        self.met: dict[str, set[str]] = {}
        self.seconds: dict[str, float] = {}

    def note(self, error: BaseException) -> None:
        """Keep the constraint that was violated, or the functions that raised."""
        diagnosis = getattr(error, "diag", None)
        if diagnosis is None or not self.test:
            return
        names = {diagnosis.constraint_name, *_FUNCTION.findall(diagnosis.context or "")}
        for name in names - {None}:
            self.met.setdefault(str(name), set()).add(self.test)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Know which test is running."""
        self.test = item.nodeid
        try:
            return (yield)
        finally:
            self.test = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Know how long each takes."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration

    def pytest_sessionfinish(self) -> None:
        """Write what was met, the quickest test first."""
        found = {
            name: sorted(tests, key=lambda test: (self.seconds.get(test, 0), test))
            for name, tests in sorted(self.met.items())
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(found, indent=1))


def pytest_configure(config: pytest.Config) -> None:
    """Listen to every error that the database raises."""
    measurement = Measurement(Path(os.environ["MUTANTS_MEASURED"]))
    config.pluginmanager.register(measurement)
    leave = DatabaseErrorWrapper.__exit__

    def note(self: Any, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        if exc_value is not None:
            measurement.note(exc_value)
        leave(self, exc_type, exc_value, traceback)

    DatabaseErrorWrapper.__exit__ = note  # type: ignore[method-assign]
