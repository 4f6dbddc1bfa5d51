"""Scheduled and nudged work on subscriptions."""

from celery import shared_task
from django.utils import timezone

from plans import daily_spend, reminders, renewals


@shared_task(name="plans.renew_due")
def renew_due() -> None:
    """Open, charge and chase renewals."""
    renewals.renew_due(now=timezone.now())


@shared_task(name="plans.remind_renewals")
def remind_renewals() -> None:
    """Tell of renewals that will be charged in three days."""
    reminders.remind_due(now=timezone.now())


@shared_task(name="plans.add_up_spend")
def add_up_spend() -> None:
    """Bring the daily sums of what usage cost up to date."""
    daily_spend.add_up_due()
