"""Background work of the accounts app."""

from celery import shared_task
from django.utils import timezone

from accounts import (
    card_attempts,
    card_changes,
    card_sweeps,
    delivery_log,
    idempotency,
    outbox,
)
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


@shared_task(name="accounts.forget_delivery_attempts")
def forget_delivery_attempts() -> int:
    """Delete what the delivery log has kept for long enough."""
    return delivery_log.forget_old(now=timezone.now())


@shared_task(name="accounts.forget_idempotent_requests")
def forget_idempotent_requests() -> int:
    """Delete the answers that the API has kept for long enough."""
    return idempotency.forget_old(now=timezone.now())


@shared_task(name="accounts.finish_verifications")
def finish_verifications() -> int:
    """Finish the card verifications that a dead process left behind, and end what was overused."""
    now = timezone.now()
    return card_sweeps.finish_verifications(now=now) + card_attempts.close_overused(now=now)


@shared_task(name="accounts.tell_expiring_cards")
def tell_expiring_cards() -> int:
    """Tell customers whose default card is about to expire."""
    return card_changes.tell_expiring(now=timezone.now())
