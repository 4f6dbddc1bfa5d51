"""What staff note about an account for their colleagues: kept in its history, never changed."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import Account, AuditEvent, User

NOTE_ADDED = "note_added"
LONGEST_NOTE = 2000


@transaction.atomic
def add(*, account: Account, text: str, by: User, now: datetime) -> AuditEvent:
    """Keep a note with the account. Raises ValidationError when it says nothing or too much.

    The same words by the same person twice in a row are one note: a button was pressed twice.
    """
    text = text.strip()
    if not text:
        raise ValidationError("Write what your colleagues should know.")
    if len(text) > LONGEST_NOTE:
        raise ValidationError(f"Write at most {LONGEST_NOTE:,} characters.")
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    newest = AuditEvent.objects.filter(account=account, action=NOTE_ADDED).order_by("-pk").first()
    if newest is not None and (newest.actor_id, newest.reason) == (by.pk, text):
        return newest
    return AuditEvent.objects.create(
        account=account, actor=by, action=NOTE_ADDED, reason=text, created_at=now
    )
