"""More time for an unpaid renewal before services pause, given by staff."""

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import service_state
from accounts.models import Account, AuditEvent, PauseReason, User
from plans import past_due, subscriptions
from plans.models import Subscription, SubscriptionStatus

#: Staff may wait so long for a payment, counted from the day on which they say so.
LONGEST = timedelta(days=30)


@transaction.atomic
def extend(
    *, account: Account, until: datetime, by: User, reason: str, now: datetime
) -> Subscription:
    """Let services go on until `until` although the renewal is unpaid.

    Services that were paused for it resume. The card is charged again as before, and who pays ends
    it. Raises ValidationError when nothing is unpaid, or for a moment that is past, no later than
    now allowed, or more than LONGEST ahead.
    """
    subscriptions.lock_account(account_id=account.pk)
    subscription = (
        Subscription.objects.select_for_update(no_key=True)
        .filter(account=account, status=SubscriptionStatus.PAST_DUE)
        .first()
    )
    if subscription is None:
        raise ValidationError("Nothing is unpaid: there is no grace to extend.")
    before = past_due.pauses_at(subscription)
    if until <= max(now, before):
        raise ValidationError(f"Choose a day after {max(now, before):%Y-%m-%d %H:%M} UTC.")
    if until > now + LONGEST:
        raise ValidationError(f"Choose a day within the next {LONGEST.days}.")
    subscription.grace_until = until
    subscription.save(update_fields=["grace_until"])
    AuditEvent.objects.create(
        account=account,
        actor=by,
        action="grace_extended",
        reason=reason,
        details={"from": before.isoformat(), "until": until.isoformat()},
        created_at=now,
    )
    service_state.lift(
        account_ids=[account.pk],
        reason=PauseReason.SUBSCRIPTION_UNPAID,
        now=now,
        by=by,
        note=reason,
    )
    return subscription
