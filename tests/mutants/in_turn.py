"""A pytest plugin: each test that may notice a mutant runs with it, many in one run of pytest.

A rule is dropped in the test's own database transaction and is back with its rollback; a guard's
code is exchanged while the test runs. Of a rule, those tests may notice that name it (in their
name, their parameters or their text), met it when last measured, or are of "all_of"; of a guard,
the one that caught it last time. A test runs with nothing broken before and after it has failed:
one that fails then, too, says nothing.

MUTANTS_IN_TURN names a file: {"rules": {title: [name, drop]}, "guards": [title], "met": {title:
[tests]}, "all_of": folder}. What was caught is added to it under "caught".
"""

import inspect
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from django.db import connection

from tests.mutants.exchange import reversed_here
from tests.mutants.guards import guards


class InTurn:
    """The mutants, which of them a test is asked about, and which one it is just now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan: dict[str, Any] = json.loads(path.read_text())
        self.guards = {each.title: each for each in guards() if each.title in self.plan["guards"]}
        self.caught: dict[str, str] = {}
        self.asked: dict[str, list[str]] = {}
        self.mutant = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests that may notice something, each with what."""
        for item in items:
            self.asked[item.nodeid] = [*self._rules_of(item), *self._guards_of(item)]
        items[:] = [item for item in items if self.asked[item.nodeid]]
        # What is about a rule alone is quickest, and says best what is missed.
        items.sort(key=lambda item: not item.nodeid.startswith("tests/rules/"))

    def _rules_of(self, item: pytest.Item) -> Iterator[str]:
        if not isinstance(item, pytest.Function) or item.cls is not None:
            return
        marker = item.get_closest_marker("django_db")
        if marker is None or marker.kwargs.get("transaction"):
            return
        text = item.nodeid + inspect.getsource(item.function)
        for title, (name, _) in self.plan["rules"].items():
            asked = self.plan["met"].get(title, ())
            if name in text or item.nodeid in asked or item.nodeid.startswith(self.plan["all_of"]):
                yield title

    def _guards_of(self, item: pytest.Item) -> Iterator[str]:
        names = (item.nodeid, item.nodeid.split("[")[0], item.nodeid.split("::")[0])
        for title in self.guards:
            if any(test in names for test in self.plan["met"].get(title, ())):
                yield title

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run it whole, then with each mutant that nobody has noticed yet, and whole again."""
        titles = [title for title in self.asked[item.nodeid] if title not in self.caught]
        if titles and not self._fails(item, ""):
            for title in titles:
                if not self._fails(item, title):
                    continue
                if self._fails(item, ""):
                    # What it failed at stays broken, or it can't run so often.
                    break
                self.caught[title] = item.nodeid
                self._write()
        # What is of the module or the session is left to the next test, or ended with the last.
        item.session._setupstate.teardown_exact(nextitem)
        return True

    def _fails(self, item: pytest.Item, title: str) -> bool:
        self.mutant = title
        item._initrequest()  # type: ignore[attr-defined]
        with ExitStack() as stack:
            if title in self.guards:
                stack.enter_context(reversed_here(self.guards[title]))
            # As if another test of this module came next: all that is of this one is torn down.
            reports = runtestprotocol(item, nextitem=item.parent, log=False)  # type: ignore[arg-type]
        return any(report.failed for report in reports)

    @pytest.fixture(autouse=True)
    def _broken(self, request: pytest.FixtureRequest) -> None:
        """Drop the rule whose turn it is, in the test's transaction."""
        if self.mutant in self.plan["rules"]:
            request.getfixturevalue("db")
            with connection.cursor() as cursor:
                cursor.execute(self.plan["rules"][self.mutant][1])

    def _write(self) -> None:
        """Tell what was caught so far."""
        self.path.write_text(json.dumps({**self.plan, "caught": self.caught}))


def pytest_configure(config: pytest.Config) -> None:
    """Begin."""
    config.pluginmanager.register(InTurn(Path(os.environ["MUTANTS_IN_TURN"])))
