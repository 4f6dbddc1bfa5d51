"""Scheduled jobs: whoever switches, runs or changes one says why, and that is on record."""

import pytest
from celery.app.task import Task
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from accounts.models import AuditEvent
from accounts.staff_roles import StaffRole
from accounts.tests.factories import make_staff
from billing_portal.health import queue_length

pytestmark = pytest.mark.django_db

WHY = "The mail server is being moved"


@pytest.fixture
def chief(client: Client) -> Client:
    client.force_login(make_staff(StaffRole.ADMINISTRATOR))
    return client


@pytest.fixture
def job(db: None) -> PeriodicTask:
    return PeriodicTask.objects.get(name="Send e-mails")


def page_of(job: PeriodicTask, name: str) -> str:
    return reverse(f"admin:django_celery_beat_periodictask_{name}", args=[job.pk])


def on_record() -> list[tuple[str, str, object]]:
    events = AuditEvent.objects.order_by("pk")
    return [(event.action, event.reason, event.details["tasks"]) for event in events]


def test_a_job_is_switched_off_and_on_with_a_reason(chief: Client, job: PeriodicTask) -> None:
    shown = chief.get(page_of(job, "switch_off")).content.decode()
    assert "Send e-mails (every 10 seconds): until somebody switches it on again" in shown
    chief.post(page_of(job, "switch_off"), {"reason": " ", "seen": f"{job.pk}:True"})
    job.refresh_from_db()
    assert (job.enabled, on_record()) == (True, [])

    noticed = PeriodicTasks.last_change()
    for _ in range(2):  # pressed twice
        chief.post(page_of(job, "switch_off"), {"reason": WHY, "seen": f"{job.pk}:True"})
    job.refresh_from_db()
    assert not job.enabled
    assert PeriodicTasks.last_change() != noticed  # beat looks here
    chief.post(page_of(job, "switch_on"), {"reason": "It is moved", "seen": f"{job.pk}:False"})
    job.refresh_from_db()
    assert job.enabled
    assert on_record() == [
        ("scheduled_tasks_switched_off", WHY, ["Send e-mails"]),
        ("scheduled_tasks_switched_on", "It is moved", ["Send e-mails"]),
    ]


def test_marked_jobs_are_asked_about_before_they_are_switched(chief: Client) -> None:
    jobs = PeriodicTask.objects.filter(name__in=["Send e-mails", "Renew subscriptions"])
    address = reverse("admin:django_celery_beat_periodictask_changelist")
    marked = {"action": "switch_off_selected", "_selected_action": [job.pk for job in jobs]}
    page = chief.post(address, marked)
    assert not jobs.filter(enabled=False).exists()
    seen = page.context["form"]["seen"].value()
    chief.post(address, {**marked, "answers": "1", "reason": WHY, "seen": seen})
    assert jobs.filter(enabled=False).count() == 2
    assert on_record() == [
        ("scheduled_tasks_switched_off", WHY, ["Renew subscriptions", "Send e-mails"])
    ]


def test_a_job_gets_another_interval_and_leaves_others_theirs(
    chief: Client, job: PeriodicTask
) -> None:
    initial = chief.get(page_of(job, "change_interval")).context["form"].initial
    assert initial == {"every": 10, "period": "seconds", "seen": "every 10 seconds"}
    seen = {"reason": WHY, "seen": initial["seen"]}
    for every, period, message in (
        ("1", "seconds", "From 5 seconds to seven days."),
        ("8", "days", "From 5 seconds to seven days."),
        ("10", "seconds", "It runs every 10 seconds already"),
        ("", "seconds", "This field is required."),
        ("3", "fortnights", "Select a valid choice."),
    ):
        answer = chief.post(
            page_of(job, "change_interval"), {**seen, "every": every, "period": period}
        )
        assert message in answer.content.decode()
    chief.post(page_of(job, "change_interval"), {**seen, "every": "2", "period": "minutes"})
    job.refresh_from_db()
    assert str(job.interval) == "every 2 minutes"
    assert IntervalSchedule.objects.filter(every=10, period="seconds").exists()
    event = AuditEvent.objects.get()
    assert event.details == {
        "tasks": ["Send e-mails"],
        "from": "every 10 seconds",
        "to": "every 2 minutes",
    }


def test_a_job_runs_once_more(chief: Client, job: PeriodicTask) -> None:
    waiting = queue_length()
    assert waiting is not None
    page = chief.get(page_of(job, "run"))
    seen = page.context["form"]["seen"].value()
    for _ in range(2):
        chief.post(page_of(job, "run"), {"reason": WHY, "seen": seen})
    assert queue_length() == waiting + 1
    assert on_record() == [("scheduled_tasks_run", WHY, ["Send e-mails"])]


def test_a_job_that_no_worker_knows_is_not_run(chief: Client, job: PeriodicTask) -> None:
    PeriodicTask.objects.filter(pk=job.pk).update(task="accounts.of_last_year")
    page = chief.post(page_of(job, "run"), {"reason": WHY, "seen": "None"})
    assert "The worker knows no such job: Send e-mails." in page.content.decode()
    assert on_record() == []


def test_a_fault_of_the_brokers_client_is_told_and_no_error(
    chief: Client, job: PeriodicTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kombu has raised this when it lost its connection while it published."""

    def stumble(*_: object, **__: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'hostname'")

    monkeypatch.setattr(Task, "apply_async", stumble)
    page = chief.post(page_of(job, "run"), {"reason": WHY, "seen": "None"})
    assert "The queue does not answer" in page.content.decode()


def test_nobody_edits_a_schedule_by_its_form(chief: Client, job: PeriodicTask) -> None:
    for record in (job, job.interval):
        assert record is not None
        name = f"admin:django_celery_beat_{record._meta.model_name}_change"
        address = reverse(name, args=[record.pk])
        assert chief.get(address).status_code == 200
        assert chief.post(address, {"enabled": "", "every": "1"}).status_code == 403
