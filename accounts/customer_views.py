"""Staff who look at the dashboard as a customer sees it: who, whose, why, from when to when.

Looking is all that it is: what keeps them from changing anything is in the dashboard's access. The
beginning is recorded with its reason before the first page is shown, and so is the end.
"""

from datetime import datetime, timedelta

from accounts import reasons
from accounts.models import Account, AuditEvent, User

#: How long staff may look before they have to say why again.
LASTS = timedelta(minutes=30)
STARTED, ENDED = "customer_view_started", "customer_view_ended"


def begin(*, account: Account, by: User, reason: str, now: datetime) -> datetime:
    """Record that `by` looks from now on; return until when they may.

    Raises ValidationError without a reason.
    """
    reason = reasons.checked(reason)
    until = now + LASTS
    AuditEvent.objects.create(
        account=account,
        actor=by,
        action=STARTED,
        reason=reason,
        details={"until": until.isoformat()},
        created_at=now,
    )
    return until


def end(*, account: Account, by: User, how: str, now: datetime) -> None:
    """Record that they look no more; `how` says what ended it: `stopped`, `expired`, …"""
    AuditEvent.objects.create(
        account=account, actor=by, action=ENDED, details={"how": how}, created_at=now
    )
