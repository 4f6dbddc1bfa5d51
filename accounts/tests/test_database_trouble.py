"""A transaction that PostgreSQL ended to break a deadlock is done again, but not for ever."""

import psycopg
import pytest
from django.db import OperationalError, transaction

from accounts import database_trouble
from accounts.database_trouble import ATTEMPTS, again_after_deadlock

DEADLOCK = psycopg.errors.DeadlockDetected("deadlock detected")


def failing(times: int, *, cause: Exception = DEADLOCK) -> list[int]:
    """Run what fails so many times; return the attempts."""
    attempts: list[int] = []

    @again_after_deadlock
    def work() -> list[int]:
        attempts.append(len(attempts) + 1)
        if len(attempts) <= times:
            raise OperationalError(*cause.args) from cause
        return attempts

    try:
        return work()
    except OperationalError:
        return [-attempts[-1]]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_trouble, "_LONGEST_PAUSE_SECONDS", 0)


@pytest.mark.django_db(transaction=True)
def test_it_is_done_again_until_it_works_and_no_oftener_than_allowed() -> None:
    assert failing(0) == [1]
    assert failing(ATTEMPTS - 1) == list(range(1, ATTEMPTS + 1))
    assert failing(ATTEMPTS) == [-ATTEMPTS]


@pytest.mark.django_db(transaction=True)
def test_what_failed_for_another_reason_is_not_done_again() -> None:
    assert failing(1, cause=psycopg.errors.AdminShutdown("restart")) == [-1]


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_of_the_callers_it_is_the_callers() -> None:
    with transaction.atomic():
        assert failing(1) == [-1]
