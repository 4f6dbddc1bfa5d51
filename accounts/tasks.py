"""Background work of the accounts app."""

from celery import shared_task
from django.utils import timezone

from accounts import cards, outbox


@shared_task(name="accounts.deliver_messages")
def deliver_messages() -> int:
    """Send the e-mails that are due; return how many were sent."""
    return outbox.deliver_due(now=timezone.now())


@shared_task(name="accounts.finish_verifications")
def finish_verifications() -> int:
    """Finish the card verifications that a dead process left behind."""
    return cards.finish_verifications(now=timezone.now())
