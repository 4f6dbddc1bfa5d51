"""A process that dies leaves what a killed one leaves: what was committed, and nothing else."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from billing_portal.models import Heartbeat
from simulation.clock import Clock
from simulation.processes import Processes
from simulation.run import START

pytestmark = pytest.mark.django_db(transaction=True)

#: Statement, statement, commit: BEGIN is no statement of Django's.
BEFORE_THE_COMMIT, AFTER_THE_COMMIT = 5, 6


def work(told: list[str]) -> None:
    """Write two rows, and tell somebody once they are committed."""
    with transaction.atomic():
        for name in ("first", "second"):
            Heartbeat.objects.bulk_create([Heartbeat(name=name, at=START)])
        transaction.on_commit(lambda: told.append("committed"))


@pytest.mark.parametrize(
    ("dies_at", "rows"),
    [(1, 0), (3, 0), (4, 0), (BEFORE_THE_COMMIT, 0), (AFTER_THE_COMMIT, 2)],
)
def test_a_process_dies_between_two_steps(dies_at: int, rows: int) -> None:
    processes, told = Processes(), list[str]()

    lived, _ = processes.run(lambda: work(told), dies_at=dies_at)

    assert not lived
    assert Heartbeat.objects.count() == rows
    assert told == [], "a dead process nudges nobody"


def test_a_process_that_is_not_to_die_lives() -> None:
    processes, told = Processes(), list[str]()
    assert processes.run(lambda: work(told)) == (True, None)
    assert told == ["committed"]


def test_what_a_dead_process_asks_for_on_its_way_out_does_not_happen() -> None:
    def try_in_spite_of_it() -> None:
        try:
            Heartbeat.objects.bulk_create([Heartbeat(name="first", at=START)])
        finally:
            Heartbeat.objects.bulk_create([Heartbeat(name="last words", at=START)])

    assert Processes().run(try_in_spite_of_it, dies_at=1) == (False, None)
    assert not Heartbeat.objects.exists()


def test_a_process_within_another_has_a_session_of_its_own() -> None:
    """What one holds for itself the other does not get: neither a lock nor an open transaction."""
    processes = Processes()
    take = "SELECT pg_try_advisory_lock(17)"

    def got_it() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(take)
            return bool(cursor.fetchone()[0])

    def outer() -> tuple[bool, bool]:
        mine = got_it()
        return mine, processes.run(got_it)[1]

    try:
        assert processes.run(outer) == (True, (True, False))
    finally:
        processes.close()
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]


def test_the_portals_clock_jumps_and_the_true_one_goes_on() -> None:
    clock = Clock(START)
    clock.jump(timedelta(hours=2))
    assert clock.now > clock.true == START
    assert clock.latest == clock.now
