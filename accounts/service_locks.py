"""Staff's own reason to pause an account's services, and its end."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import service_state
from accounts.models import Account, PauseReason, User


@transaction.atomic
def lock(*, account_id: UUID, reason: str, by: User, now: datetime) -> None:
    """Pause the account's services until a colleague unlocks them; keep why with the account."""
    service_state.pause(
        account_ids=[account_id], reason=PauseReason.LOCKED, now=now, by=by, note=reason
    )
    Account.objects.filter(pk=account_id).update(lock_note=reason)


@transaction.atomic
def unlock(*, account_id: UUID, reason: str, by: User, now: datetime) -> None:
    """Lift staff's reason; other reasons still hold."""
    service_state.lift(
        account_ids=[account_id], reason=PauseReason.LOCKED, now=now, by=by, note=reason
    )
    Account.objects.filter(pk=account_id).update(lock_note="")
