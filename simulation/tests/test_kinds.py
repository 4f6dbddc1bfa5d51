"""What the fixed seeds of CI have to have in them, and that a deed nobody listed ends a run."""

import json

import pytest

from simulation import kinds
from simulation.clock import Clock
from simulation.options import Options
from simulation.report import Report
from simulation.run import START
from simulation.runs import Total

pytestmark = pytest.mark.django_db


def told(**counts: int) -> str:
    """Return what a run says last."""
    return json.dumps({"steps": 10, "drift": "0", "kinds": counts})


def test_what_none_of_the_fixed_seeds_had_is_missing_although_another_run_had_it() -> None:
    total = Total()
    total.add(1, told(paid=3, declined=0, refunded=0))
    total.add(2, told(paid=0, declined=1, refunded=0))
    total.add(777, told(paid=1, declined=0, refunded=2))

    assert total.missing([1, 2]) == ["refunded"]
    assert total.missing([1, 2, 777]) == []
    assert {*kinds.of_deeds({}), *kinds.of_what_came_of_it()} > kinds.RARE
    assert "3 of 3 kinds of deed, of what came of them and of fault" in list(total.lines())


def test_a_seed_that_found_a_mistake_had_nothing() -> None:
    total = Total()
    total.add(2, told(paid=1))
    assert total.missing([1]) == ["paid"]


def test_a_deed_that_is_in_no_list_ends_the_run() -> None:
    report = Report(Options(seed=1))
    report.note(Clock(START).now, "customer-1", "add a card", "verified")
    with pytest.raises(AssertionError, match="sell the moon"):
        report.note(Clock(START).now, "customer-1", "sell the moon", "done")


def test_a_deed_is_wanted_until_it_has_ended_in_each_of_its_ways() -> None:
    ended = {"set auto-refill: on": 3}
    assert kinds.is_wanted("set auto-refill", ended)
    assert not kinds.is_wanted("set auto-refill", {**ended, "set auto-refill: off": 1})
    assert kinds.of_deeds(ended)["set auto-refill: on"] == 3
    assert kinds.of_deeds(ended)["set auto-refill: off"] == 0
