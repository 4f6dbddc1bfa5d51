"""Staff who look at the dashboard as a customer sees it: who, whose, why, from when to when.

Looking is all that it is: what keeps them from changing anything is in the dashboard's access. The
beginning is recorded with its reason before the first page is shown, and so is the end.
"""

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.models import Account, AuditEvent, User
from accounts.reasons import SHORTEST_REASON

#: How long staff may look before they have to say why again.
LASTS = timedelta(minutes=30)
#: What a reason has at least, besides blanks.
STARTED, ENDED = "customer_view_started", "customer_view_ended"


def begin(*, account: Account, by: User, reason: str, now: datetime) -> datetime:
    """Record that `by` looks from now on; return until when they may.

    Raises ValidationError without a reason.
    """
    reason = reason.strip()
    if len(reason) < SHORTEST_REASON:
        raise ValidationError(_("Say why, for whoever reads this next."))
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
