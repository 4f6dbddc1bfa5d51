"""The list of mutants is whole: every rule of the database, every guard, and who misses each.

That they are caught is what `make mutants` tries; here it only must not drift.
"""

import ast
from pathlib import Path

import pytest

from tests.mutants import catalogue, records
from tests.mutants.guards import ROOT, Guard, guards

HOW = "run `make mutants ARGS='--resume --only NAME'` and commit tests/mutants/caught.toml"


@pytest.mark.parametrize("guard", guards(), ids=lambda guard: guard.title)
def test_a_guard_stands_where_the_list_says_and_its_reversal_is_code(
    guard: Guard, tmp_path: Path
) -> None:
    copy = tmp_path / guard.file
    copy.parent.mkdir(parents=True)
    copy.write_text((ROOT / guard.file).read_text())
    guard.reverse(tmp_path)
    ast.parse(copy.read_text())


@pytest.mark.django_db
def test_every_rule_of_the_database_is_known_to_be_missed() -> None:
    rules = {rule.title for rule in catalogue.rules()}
    known = set(records.caught()) | set(records.equivalent())
    assert rules - known == set(), HOW
    assert known - rules - {guard.title for guard in guards()} == set(), (
        "take what is gone out of tests/mutants/*.toml"
    )
