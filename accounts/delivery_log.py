"""What became of each attempt to deliver a message: kept for staff, for a while."""

from datetime import datetime, timedelta

from accounts.models import DeliveryAttempt, Message

#: How long an attempt is kept: long enough to answer whoever asks about the last bill.
KEPT = timedelta(days=40)
#: Deleted at once, so that no statement takes long.
_BATCH = 10_000


def note(
    *,
    message: Message,
    started_at: datetime,
    duration: timedelta,
    status: int | None,
    error: str = "",
) -> None:
    """Keep the outcome of one attempt: what the platform answered, or what went wrong."""
    DeliveryAttempt.objects.create(
        message=message,
        number=message.attempts,
        started_at=started_at,
        duration=duration,
        status=status,
        error=error,
    )


def forget_old(*, now: datetime) -> int:
    """Delete attempts that are older than `KEPT`; return how many."""
    old = DeliveryAttempt.objects.filter(started_at__lt=now - KEPT)
    forgotten = 0
    while ids := list(old.values_list("pk", flat=True)[:_BATCH]):
        forgotten += DeliveryAttempt.objects.filter(pk__in=ids).delete()[0]
    return forgotten
