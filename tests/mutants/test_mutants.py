"""The list of mutants is whole: every rule of the database, every guard, and who misses each.

That they are caught is what `make mutants` tries; here it only must not drift.
"""

import ast
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from tests.mutants import catalogue, records
from tests.mutants.exchange import is_exchangeable, reversed_here
from tests.mutants.guards import ROOT, Guard, guards
from wallet import topups

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
def test_every_rule_of_the_database_and_every_guard_is_known_to_be_missed() -> None:
    there = {rule.title for rule in catalogue.rules()} | {guard.title for guard in guards()}
    known = set(records.caught()) | set(records.equivalent())
    assert there - known == set(), HOW
    assert known - there == set(), "take what is gone out of tests/mutants/*.toml"


def test_what_nobody_should_notice_says_why_and_is_caught_by_nobody() -> None:
    assert records.equivalent().keys() & records.caught().keys() == set()
    assert all(len(why) > 20 for why in records.equivalent().values())


@pytest.mark.parametrize(
    ("noticed_by", "excused", "says", "fails"),
    [
        ("test_a.py::test_b", "", "1 noticed, 0 excused, 0 survived", 0),
        ("", "", "0 noticed, 0 excused, 1 survived", 1),
        ("", "the second of two barriers", "0 noticed, 1 excused, 0 survived", 0),
        ("test_a.py::test_b", "the second of two barriers", "NOTICED AFTER ALL by test_a.py", 1),
    ],
)
def test_the_command_fails_for_a_survivor_and_for_an_excuse_that_is_none(
    noticed_by: str, excused: str, says: str, fails: int, capsys: pytest.CaptureFixture[str]
) -> None:
    guard = guards()[0]
    failed = records.tell(
        [guard],
        {guard.title: noticed_by} if noticed_by else {},
        {guard.title: excused} if excused else {},
    )
    assert failed == fails
    assert says in capsys.readouterr().out


def test_a_guard_is_reversed_where_it_runs_and_stands_again_afterwards() -> None:
    """A top-up of five dollars, where the plan sells ten at least."""
    [guard] = [each for each in guards() if each.name == "a top-up is at least the plan's minimum"]
    with reversed_here(guard):
        assert topups.check_amount(Decimal(5), minimum=Decimal(10)) == 5
    with pytest.raises(ValidationError, match="at least"):
        topups.check_amount(Decimal(5), minimum=Decimal(10))


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("services are paused once", "a statement of SQL, outside of any function"),
        ("viewers see and do not act", "within a function that a decorator made before"),
    ],
)
def test_what_can_not_be_reversed_where_it_runs_goes_the_long_way(name: str, how: str) -> None:
    [guard] = [each for each in guards() if each.name == name]
    assert not is_exchangeable(guard), how
