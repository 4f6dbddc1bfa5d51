"""Colleagues: who has which role."""

from datetime import datetime

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import reasons
from accounts.models import AuditEvent, User
from accounts.staff_roles import StaffRole


def role_of(person: User) -> StaffRole | None:
    """Return the role somebody has, None for whoever is not let in."""
    if not person.is_staff:
        return None
    name = person.groups.filter(name__in=StaffRole.values).values_list("name", flat=True).first()
    return StaffRole(name) if name else None


@transaction.atomic
def change_role(
    *, person: User, role: StaffRole | None, by: User, reason: str, now: datetime
) -> None:
    """Give a colleague this role instead of the one they have; None lets them in no more.

    Raises ValidationError for one's own role, for a superuser's, without a reason, and for the role
    they have already.
    """
    if person == by:
        raise ValidationError("Nobody changes their own role: ask another administrator.")
    reason = reasons.checked(reason)
    locked = User.objects.select_for_update().get(pk=person.pk)
    if locked.is_superuser:
        raise ValidationError(f"{locked.email} is a superuser: that is changed on the server.")
    before = role_of(locked)
    if before == role and locked.is_staff == (role is not None):
        raise ValidationError(f"That is {locked.email}'s role already: nothing was changed.")
    locked.groups.set(Group.objects.filter(name=role) if role else [])
    locked.is_staff = role is not None
    locked.save(update_fields=["is_staff"])
    AuditEvent.objects.create(
        actor=by,
        action="staff_role_changed",
        reason=reason,
        details={"user": locked.email, "from": before or "none", "to": role or "none"},
        created_at=now,
    )
