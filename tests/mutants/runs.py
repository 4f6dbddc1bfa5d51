"""Running tests on a mutant, until one of them fails because of it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.mutants import database, exchange, records
from tests.mutants.catalogue import Rule
from tests.mutants.guards import ROOT, Guard

COPY = ROOT / ".data" / "mutants" / "tree"
#: What the tests said last.
LOG = ROOT / ".data" / "mutants" / "last.log"
#: Nothing that needs a browser, other servers or minutes: who keeps a rule is quicker to ask.
_USUAL = ["-p", "tests.mutants.on_mutant", "-p", "no:cacheprovider", "-q", "--tb=short"]
_OPTIONS = [*_USUAL, "-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
_OPTIONS += ["-m", "not browser", "--deselect", "billing_portal/tests/test_embedded_postgres.py"]
# The tests of these lists miss every mutant, for it is not as the lists say: that proves nothing.
_OPTIONS += ["--ignore", "tests/mutants"]


def in_turn(mutants: list[records.Mutant], *, all_of: str = "") -> dict[str, str]:
    """Return which tests caught which mutants (by their titles), all tried in one run of pytest.

    Asked are the tests that caught it last time, of a rule also those that name or met it, or all
    of a folder.
    """
    rules = [mutant for mutant in mutants if isinstance(mutant, Rule)]
    last_time = records.caught()
    guards = [
        mutant.title
        for mutant in mutants
        if isinstance(mutant, Guard)
        and mutant.title in last_time
        and exchange.is_exchangeable(mutant)
    ]
    met = {rule.title: records.who_met(rule) for rule in rules}
    for title in [*guards, *(met.keys() & last_time.keys())]:
        met.setdefault(title, []).append(last_time[title])
    plan = {
        "rules": {rule.title: [rule.name, rule.drop] for rule in rules},
        "guards": guards,
        "met": met,
        # No test's name begins like this.
        "all_of": all_of or "/",
    }
    path = LOG.with_name("in_turn.json")
    path.write_text(json.dumps(plan))
    files = {test.split("::")[0] for tests in met.values() for test in tests}
    files |= {file for rule in rules for file in records.who_names(rule)}
    files |= {all_of} if all_of else set()
    with database.clone() as name, LOG.open("wb") as log:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "tests.mutants.in_turn", *_USUAL,
             *sorted(file for file in files if (ROOT / file).exists())],
            cwd=ROOT,
            env={
                **os.environ,
                "MUTANT_DATABASE": name,
                "MUTANT_CAUGHT_BY": os.devnull,
                "MUTANTS_IN_TURN": str(path),
            },
            stdout=log,
            stderr=log,
            check=False,
        )  # fmt: skip
    return dict(json.loads(path.read_text()).get("caught", {}))


class Runs:
    """Asks the tests. Those that fail without any mutant, too, have noticed nothing."""

    def __init__(self, *, groups: int) -> None:
        self._groups = groups
        self._passes: dict[tuple[str, bool], bool] = {}

    def who_notices(self, mutant: records.Mutant) -> str:
        """Return the test that fails on a mutant, or ""."""
        unsound: list[str] = []
        for group in records.candidates(mutant)[: self._groups]:
            while test := next(iter(_failures([mutant], group, but=unsound)), ""):
                if self._passes_without(test, [mutant]):
                    return test
                unsound.append(test)
        return ""

    def caught_after_all(self, mutants: list[records.Mutant]) -> dict[str, str]:
        """Return which of the mutants that nobody should notice a test does notice, and which.

        All tests run once, on all of these mutants together; what fails then is asked of each.
        """
        caught: dict[str, str] = {}
        for test in _failures(mutants, records.all_tests(), stops=False) if mutants else ():
            if not self._passes_without(test, mutants):
                continue
            for mutant in mutants:
                if mutant.title not in caught and _failures([mutant], [test]):
                    caught[mutant.title] = test
        return caught

    def _passes_without(self, test: str, mutants: list[records.Mutant]) -> bool:
        """Tell whether a test passes where it failed, once nothing is broken there."""
        key = test, any(isinstance(mutant, Guard) for mutant in mutants)
        if key not in self._passes:
            _, is_copy = key
            with database.clone() as name:
                ran = in_a_copy(name, [test], []) if is_copy else in_a_fork(name, [test])
            self._passes[key] = not ran
        return self._passes[key]


def _failures(
    mutants: list[records.Mutant], tests: list[str], *, but: Iterable[str] = (), stops: bool = True
) -> list[str]:
    """Return which tests fail on these mutants; when it `stops`, the first."""
    arguments = [*tests, *(option for test in but for option in ("--deselect", test))]
    arguments += ["-x"] if stops else []
    drops = "; ".join(mutant.drop for mutant in mutants if isinstance(mutant, Rule))
    broken = [mutant for mutant in mutants if isinstance(mutant, Guard)]
    with database.clone(drops) as name:
        return in_a_copy(name, arguments, broken) if broken else in_a_fork(name, arguments)


def in_a_fork(name: str, arguments: list[str]) -> list[str]:
    """Run tests of this tree on a database, in a process that has everything imported already.

    Return which failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "failed"
        child = os.fork()
        if not child:
            _write_to_the_log()
            os.environ.update(MUTANT_DATABASE=name, MUTANT_CAUGHT_BY=str(answer))
            os._exit(int(pytest.main([*_OPTIONS, *arguments])))
        _, status = os.waitpid(child, 0)
        return _answer(answer, os.waitstatus_to_exitcode(status), arguments)


def in_a_copy(name: str, arguments: list[str], guards: list[Guard]) -> list[str]:
    """Run tests on a database, in a copy of the tree in which guards are reversed.

    Return which failed.
    """
    copy_tree()
    for guard in guards:
        guard.reverse(COPY)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "failed"
        with LOG.open("wb") as log:
            ran = subprocess.run(
                [sys.executable, "-m", "pytest", *_OPTIONS, *arguments],
                cwd=COPY,
                env={**os.environ, "MUTANT_DATABASE": name, "MUTANT_CAUGHT_BY": str(answer)},
                stdout=log,
                stderr=log,
                check=False,
            )
        return _answer(answer, ran.returncode, arguments)


def copy_tree() -> None:
    """Copy what is under version control, as it is now: the tree itself is never changed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    shutil.rmtree(COPY, ignore_errors=True)
    for file in filter(None, listed.stdout.split("\0")):
        source, target = ROOT / file, COPY / file
        if source.is_file() and not source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _answer(path: Path, exit_code: int, arguments: list[str]) -> list[str]:
    if path.exists():
        return path.read_text().splitlines()
    # 5: no test was there to run, as when the one that caught it last time is gone.
    if exit_code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED, 4):
        raise RuntimeError(f"The tests ended with {exit_code}: {' '.join(arguments)}")
    return []


def _write_to_the_log() -> None:
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
