"""A second factor that a colleague or a customer has lost is taken away by staff."""

from datetime import datetime

from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import reasons
from accounts.models import AuditEvent, User


def of(user: User) -> list[str]:
    """Return what the user signs in with beside the password, in words."""
    factors = Authenticator.objects.filter(user=user).order_by("pk")
    return [str(factor.get_type_display()) for factor in factors]


@transaction.atomic
def remove(*, user: User, by: User, reason: str, now: datetime) -> list[str]:
    """Take away all second factors of another user, recovery codes included; return them in words.

    What they opened with it closes; staff set up a new one at their next sign-in. Raises
    ValidationError for one's own, without a reason, and when there is none (any more).
    """
    if user == by:
        raise ValidationError(
            "Nobody takes away their own second factor here: ask another administrator."
        )
    reason = reasons.checked(reason)
    User.objects.select_for_update().get(pk=user.pk)
    removed = of(user)
    if not removed:
        raise ValidationError(f"{user.email} has no second factor: there is nothing to remove.")
    Authenticator.objects.filter(user=user).delete()
    AuditEvent.objects.create(
        actor=by,
        action="second_factor_removed",
        reason=reason,
        details={"user": user.email, "removed": removed},
        created_at=now,
    )
    return removed
