"""Background work of the accounts app."""

from celery import shared_task
from django.utils import timezone

from accounts import cards, outbox
from accounts.models import MessageChannel


@shared_task(name="accounts.deliver_messages")
def deliver_messages() -> int:
    """Send the e-mails and platform events that are due; return how many were sent.

    One after the other, each with its own time: a dead platform does not hold back e-mails.
    """
    return sum(
        outbox.deliver_due(channel=channel, now=timezone.now())
        for channel in (MessageChannel.EMAIL, MessageChannel.PLATFORM)
    )


@shared_task(name="accounts.finish_verifications")
def finish_verifications() -> int:
    """Finish the card verifications that a dead process left behind."""
    return cards.finish_verifications(now=timezone.now())
