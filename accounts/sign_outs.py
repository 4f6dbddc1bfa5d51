"""Ending all sessions of a person: a stolen laptop, somebody who left."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from accounts.models import AuditEvent, User


@transaction.atomic
def sign_out_everywhere(*, user: User, by: User, reason: str, now: datetime) -> None:
    """End every session of `user`: each holds a proof that this makes worthless.

    They sign in again with their password and second factor, which stay as they are.
    """
    User.objects.filter(pk=user.pk).update(session_generation=F("session_generation") + 1)
    accounts: list[UUID | None] = list(user.memberships.values_list("account_id", flat=True))
    AuditEvent.objects.bulk_create(
        AuditEvent(
            account_id=account_id,
            actor=by,
            action="sessions_ended",
            reason=reason,
            details={"user": user.email},
            created_at=now,
        )
        # Staff belong to no account, and are in the history of the whole.
        for account_id in accounts or [None]
    )
