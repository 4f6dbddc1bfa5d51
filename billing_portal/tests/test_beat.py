"""Beat outlives its database: what is due is sent on the schedule that was read last."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from billing_portal import beat
from billing_portal.beat import PatientScheduler
from billing_portal.celery import app

# Beat opens and closes connections of its own.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _scheduled() -> None:
    """One job, each minute."""
    minute, _ = IntervalSchedule.objects.get_or_create(every=60, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.all().delete()
    PeriodicTask.objects.create(name="look", task="invoices.sweep", interval=minute)


class Away:
    """A database that is away for so many statements."""

    def __init__(self, statements: int) -> None:
        self.left = statements

    def __call__(self, execute: Callable[..., Any], *statement: Any) -> Any:
        """Run a statement, or find nobody there."""
        if not self.left:
            return execute(*statement)
        self.left -= 1
        raise OperationalError("connection refused")


def test_jobs_are_sent_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every five minutes the schedule is read anew: nothing is there to be read."""
    sent: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda task, *args, **options: sent.append(task))
    scheduler = PatientScheduler(app=app, Producer=lambda *args, **options: None)
    before = set(scheduler.schedule)
    assert "look" in before
    scheduler.schedule["look"].model.last_run_at -= timedelta(minutes=2)

    with connection.execute_wrapper(Away(statements=10_000)):
        scheduler._last_full_sync -= timedelta(minutes=6)
        assert set(scheduler.schedule) == before
        for _ in before:
            scheduler.tick()

    assert sent == ["invoices.sweep"]


def test_beat_waits_for_a_database_that_is_not_there_when_it_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beat, "_PAUSE_SECONDS", 0)
    with connection.execute_wrapper(Away(statements=3)):
        scheduler = PatientScheduler(app=app)
    assert "look" in scheduler.schedule
