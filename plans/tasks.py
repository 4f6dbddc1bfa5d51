"""Scheduled and nudged work on subscriptions."""

import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from accounts import nudges
from plans import daily_spend, reminders, renewals, subscriber_moves

#: A run that has more to do than this lets the worker go on with it in a task of its own: no task
#: takes long, whatever there is to renew, and a worker that is stopped is done within a minute.
RUN_SECONDS = 40


@shared_task(name="plans.renew_due")
def renew_due() -> None:
    """Open, charge and chase renewals; one run at a time, however often beat ticks meanwhile."""
    with renewals.scheduled_run() as is_the_only_one:
        if not is_the_only_one:
            return
        began = time.monotonic()
        report = renewals.run(
            clock=timezone.now,
            threads=settings.RENEWAL_THREADS,
            is_over=lambda: time.monotonic() - began > RUN_SECONDS,
        )
    if report.is_cut_short:
        nudges.send("plans.renew_due")


@shared_task(name="plans.remind_renewals")
def remind_renewals() -> None:
    """Tell of renewals that will be charged in three days."""
    reminders.remind_due(now=timezone.now())


@shared_task(name="plans.add_up_spend")
def add_up_spend() -> None:
    """Bring the daily sums of what usage cost up to date."""
    daily_spend.add_up_due()


@shared_task(name="plans.add_up_all_spend")
def add_up_all_spend() -> None:
    """Add up what little was left to readers, so that each workspace is known within the hour."""
    daily_spend.add_up_due(left=0)


@shared_task(name="plans.move_subscribers")
def move_subscribers() -> None:
    """Go on moving subscribers to the versions that staff chose for them."""
    subscriber_moves.carry_out(now=timezone.now())
