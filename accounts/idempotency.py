"""Requests that are carried out once, however often they are sent.

A request is claimed, committed, before it has any effect; its answer is kept with the effect, or
after it where the effect is a charge and can't share a database transaction with anything. Whoever
dies in between leaves a claim that ends: then the request is carried out again, and it is for its
service to find what was done before (an account by its external id, a payment by its request key).
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.models import ApiKey, IdempotentRequest

#: How long an answer is kept: Stripe promises 24 hours, and whoever repairs something by hand the
#: next day should find it, too.
KEPT: Final = timedelta(hours=48)
#: Longer than a request takes, Stripe's silence included.
_CLAIM: Final = timedelta(seconds=60)
#: Deleted at once, so that no statement takes long.
_BATCH: Final = 10_000


class KeyReused(Exception):
    """Something else was asked for under this key."""


class InProgress(Exception):
    """The request is being carried out, or whoever did has died a moment ago."""

    def __init__(self, until: datetime) -> None:
        """Say when it can be sent again at the latest."""
        super().__init__(until)
        self.until = until


def claim(
    *, api_key: ApiKey, target: str, idempotency_key: str, fingerprint: str, now: datetime
) -> IdempotentRequest:
    """Return the request: with its answer, or without one and then for the caller to carry out.

    Raises KeyReused, InProgress.
    """
    try:
        with transaction.atomic():
            return IdempotentRequest.objects.create(
                api_key=api_key,
                target=target,
                idempotency_key=idempotency_key,
                fingerprint=fingerprint,
                claimed_until=now + _CLAIM,
                created_at=now,
            )
    except IntegrityError:
        pass
    found = IdempotentRequest.objects.filter(
        api_key=api_key, target=target, idempotency_key=idempotency_key
    ).first()
    if found is None:  # given up at this moment
        raise InProgress(now)
    if found.fingerprint != fingerprint:
        raise KeyReused
    if found.status is not None:
        return found
    taken_over = IdempotentRequest.objects.filter(
        pk=found.pk, status__isnull=True, claimed_until__lte=now
    ).update(claimed_until=now + _CLAIM)
    if not taken_over:
        raise InProgress(found.claimed_until)
    return found


def keep(*, request: IdempotentRequest, status: int, body: str) -> None:
    """Keep the answer; the first one stands."""
    _unanswered(request).update(status=status, body=body)


def give_up(*, request: IdempotentRequest) -> None:
    """Forget a request that changed nothing: it may be sent again, also with another content."""
    _unanswered(request).delete()


def let_go(*, request: IdempotentRequest, now: datetime) -> None:
    """End the claim on a request of which nobody knows what it changed: the next one goes on."""
    _unanswered(request).update(claimed_until=now)


def forget_old(*, now: datetime) -> int:
    """Delete what was kept for long enough; return how many requests."""
    old = IdempotentRequest.objects.filter(created_at__lt=now - KEPT)
    forgotten = 0
    while ids := list(old.values_list("pk", flat=True)[:_BATCH]):
        forgotten += IdempotentRequest.objects.filter(pk__in=ids).delete()[0]
    return forgotten


def _unanswered(request: IdempotentRequest) -> QuerySet[IdempotentRequest]:
    return IdempotentRequest.objects.filter(pk=request.pk, status__isnull=True)
