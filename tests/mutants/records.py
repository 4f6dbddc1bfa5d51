"""What is known of mutants: who caught each, which need not be caught and why.

caught.toml is written by the runner and kept in the repository: the next run asks the test that
caught a mutant last time first. equivalent.toml is written by people.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.mutants.catalogue import OUR_APPS, Rule
from tests.mutants.guards import ROOT, Guard

HERE = Path(__file__).parent
CAUGHT = HERE / "caught.toml"
EQUIVALENT = HERE / "equivalent.toml"
#: Of this machine: what `tests.mutants.measure` found, which tests met which rule.
MEASURED = ROOT / ".data" / "mutants" / "measured.json"

Mutant = Rule | Guard


def caught() -> dict[str, str]:
    """Return the test that caught each mutant, by its title."""
    return _read(CAUGHT)


def equivalent() -> dict[str, str]:
    """Return why some mutants need not be caught, by their titles."""
    return _read(EQUIVALENT)


def keep(found: Mapping[str, str], *, titles: Iterable[str]) -> None:
    """Write who caught what, of the mutants that there are; "" for one that nobody catches."""
    there = set(titles)
    known = {**caught(), **found}
    known = {title: test for title, test in known.items() if test and title in there}
    lines = [f"{json.dumps(title)} = {json.dumps(test)}" for title, test in sorted(known.items())]
    CAUGHT.write_text("\n".join(["# Written by `make mutants`.", *lines, ""]))


def tell(
    mutants: Sequence[Mutant], noticed_by: Mapping[str, str], excused: Mapping[str, str]
) -> int:
    """Print what the mutants came to; return 1 if one is not as it should be, else 0.

    None may survive but those that are excused, and of these no test may notice one.
    """
    survivors = [
        each.title
        for each in mutants
        if each.title not in excused and not noticed_by.get(each.title)
    ]
    after_all = [each.title for each in mutants if each.title in excused.keys() & noticed_by.keys()]
    for title in (each.title for each in mutants if each.title in excused):
        print(f"nobody should notice: {title}: {excused[title]}")
    for title in after_all:
        print(f"NOTICED AFTER ALL by {noticed_by[title]}, take it out of equivalent.toml: {title}")
    for title in survivors:
        print(f"SURVIVED: {title}")
    rules = sum(isinstance(each, Rule) for each in mutants)
    caught = sum(bool(noticed_by.get(each.title)) for each in mutants)
    print(
        f"{rules} rules and {len(mutants) - rules} guards: {caught} noticed, "
        f"{len(mutants) - caught - len(survivors)} excused, {len(survivors)} survived."
    )
    return 1 if survivors or after_all else 0


def candidates(mutant: Mutant) -> list[list[str]]:
    """Return which tests to ask, in groups, those first that most likely notice."""
    last_time = caught().get(mutant.title)
    groups = [[last_time] if last_time else [], who_met(mutant), who_names(mutant)]
    if isinstance(mutant, Rule) and mutant.table.startswith("accounts_"):
        groups.append(["accounts/tests"])
    groups += [[f"{mutant.app}/tests"], all_tests()]
    return [group for group in groups if group]


def who_met(mutant: Mutant) -> list[str]:
    if isinstance(mutant, Guard) or not MEASURED.exists():
        return []
    met = json.loads(MEASURED.read_text())
    return list(met.get(mutant.function or mutant.name, []))[:8]


def who_names(mutant: Mutant) -> list[str]:
    """The modules of tests that name a rule, or import the module that a guard is in."""
    if isinstance(mutant, Rule):
        words = [f"{mutant.name}"]
    else:
        package, module = mutant.file.removesuffix(".py").rsplit("/", 1)
        words = [f"from {package.replace('/', '.')} import {module}\n", f"test_{module}.py"]
    return [file for file, text in _texts().items() if any(word in text for word in words)]


@cache
def _texts() -> dict[str, str]:
    """Return what each module of tests says, after its name."""
    folders = [ROOT / app for app in OUR_APPS] + [ROOT / "tests"]
    paths = sorted(path for folder in folders for path in folder.rglob("test_*.py"))
    files = {str(path.relative_to(ROOT)): f"{path.name}\n{path.read_text()}" for path in paths}
    return {file: text for file, text in files.items() if not file.startswith("tests/mutants/")}


def all_tests() -> list[str]:
    """Return where the tests are."""
    apps = ("wallet", "invoices", "plans", "accounts", "billing_portal")
    portal = [f"{app}/tests" for app in apps]
    return [*portal, "billing_portal/dashboard/tests", "simulation", "tests"]


def _read(path: Path) -> dict[str, str]:
    return tomllib.loads(path.read_text()) if path.exists() else {}
