"""Scheduled jobs: switched on and off, run once more, given another interval; each with its why.

Beat looks at its table every few seconds: what is changed here is in force without a restart.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts import reasons
from accounts.models import AuditEvent, User
from billing_portal.celery import app

#: More often than this a job would wait for itself.
SHORTEST_SECONDS = 5
LONGEST_SECONDS = 7 * 24 * 3600
#: Intervals as people say them, with their seconds.
PERIODS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 24 * 3600}


@transaction.atomic
def switch(
    *, jobs: Sequence[PeriodicTask], on: bool, by: User, reason: str, now: datetime
) -> list[PeriodicTask]:
    """Switch jobs on or off; return those that were not so already.

    Raises ValidationError without a reason, and when there is nothing to switch.
    """
    reason = reasons.checked(reason)
    locked = PeriodicTask.objects.select_for_update().filter(pk__in=[job.pk for job in jobs])
    switched = list(locked.exclude(enabled=on).order_by("name"))
    if not switched:
        raise ValidationError(f"Switched {'on' if on else 'off'} already: nothing was changed.")
    for job in switched:
        job.enabled = on
        job.save()
    action = "scheduled_tasks_switched_on" if on else "scheduled_tasks_switched_off"
    _note(action, by, reason, now, tasks=[job.name for job in switched])
    return switched


@transaction.atomic
def change_interval(
    *, job: PeriodicTask, every: int, period: str, by: User, reason: str, now: datetime
) -> PeriodicTask:
    """Have a job run every so many seconds, minutes, hours or days.

    Raises ValidationError without a reason, for an interval that is none, too short or too long,
    and for the one that it has.
    """
    reason = reasons.checked(reason)
    if period not in PERIODS:
        raise ValidationError({"period": "Choose seconds, minutes, hours or days."})
    if not SHORTEST_SECONDS <= every * PERIODS[period] <= LONGEST_SECONDS:
        raise ValidationError({"every": f"From {SHORTEST_SECONDS} seconds to seven days."})
    job = PeriodicTask.objects.select_for_update().get(pk=job.pk)
    before = str(job.scheduler)
    # One interval is shared by many jobs: it stays as it is, and this job gets another one.
    interval, _ = IntervalSchedule.objects.get_or_create(every=every, period=period)
    if job.interval_id == interval.pk:
        raise ValidationError(f"It runs {before} already: nothing was changed.")
    job.interval, job.crontab, job.solar, job.clocked = interval, None, None, None
    job.save()
    changed = {"tasks": [job.name], "from": before, "to": str(interval)}
    _note("scheduled_task_changed", by, reason, now, **changed)
    return job


def run_now(*, jobs: Sequence[PeriodicTask], by: User, reason: str, now: datetime) -> int:
    """Have jobs run once more than their schedule says; return how many.

    Never call it inside a database transaction: it asks the broker. Raises ValidationError without
    a reason, for a job that the worker does not know, and when the broker does not answer.
    """
    reason = reasons.checked(reason)
    app.loader.import_default_modules()
    if unknown := [job.name for job in jobs if job.task not in app.tasks]:
        raise ValidationError(f"The worker knows no such job: {', '.join(unknown)}.")
    _note("scheduled_tasks_run", by, reason, now, tasks=[job.name for job in jobs])
    try:
        for job in jobs:
            app.tasks[job.task].apply_async(
                args=json.loads(job.args),
                kwargs=json.loads(job.kwargs),
                headers={"periodic_task_name": job.name},
            )
    except Exception as error:  # as in accounts/nudges.py: a broker's client raises anything
        raise ValidationError(
            "The queue does not answer: try again once it does. Look at the front page."
        ) from error
    return len(jobs)


def _note(action: str, by: User, reason: str, now: datetime, **details: object) -> None:
    AuditEvent.objects.create(
        actor=by, action=action, reason=reason, details=details, created_at=now
    )
