"""Members of an account: their roles, and how they leave.

An account that has an owner keeps one: the database refuses to take the last one, and whoever takes
an owner waits for whoever is about to take another.
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import invitations
from accounts.models import Account, AuditEvent, Membership, User
from accounts.roles import Role, may_manage


@transaction.atomic
def add(
    *, account: Account, user: User, role: str, by: User, reason: str, now: datetime
) -> Membership:
    """Let staff make a user a member for a reason, without an invitation.

    Raises ValidationError for no role, and when they are a member already.
    """
    _check(role)
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    if Membership.objects.filter(account=account, user=user).exists():
        raise ValidationError(_("This person is a member already."))
    membership = Membership.objects.create(account=account, user=user, role=role, created_at=now)
    _record(membership, "member_joined", by, now, reason, role=role)
    return membership


@transaction.atomic
def change_role(
    *, membership: Membership, role: str, by: User, now: datetime, reason: str = ""
) -> Membership:
    """Give a member another role, staff for a reason; it counts from their next request on.

    Raises ValidationError for no role, for the last owner, and when they are no member any more.
    """
    _check(role)
    membership = _locked(membership)
    before = membership.role
    if role == before:
        return membership
    _keep_an_owner(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    _record(membership, "member_role_changed", by, now, reason, before=before, after=role)
    if not may_manage(role):
        _end_invitations(membership, by, now)
    return membership


@transaction.atomic
def remove(*, membership: Membership, by: User, now: datetime, reason: str = "") -> None:
    """Take a member's access, from their next request on; members who remove themselves leave.

    What they invited is revoked; API keys that they made go on, for programs depend on them.

    Raises ValidationError for the last owner, and when they are no member any more.
    """
    membership = _locked(membership)
    _keep_an_owner(membership)
    has_left = membership.user_id == by.pk
    action = "member_left" if has_left else "member_removed"
    _record(membership, action, by, now, reason, role=membership.role)
    _end_invitations(membership, by, now)
    membership.delete()


def _check(role: str) -> None:
    if role not in Role.values:
        raise ValidationError(_("Choose one of the roles."))


def _locked(membership: Membership) -> Membership:
    """Return it as it is now, with its account locked: members are changed one at a time."""
    Account.objects.select_for_update(no_key=True).get(pk=membership.account_id)
    found = Membership.objects.filter(pk=membership.pk).select_related("user", "account").first()
    if found is None:
        raise ValidationError(_("They are not a member any more."))
    return found


def _end_invitations(membership: Membership, by: User, now: datetime) -> None:
    invitations.revoke_those_of(account=membership.account, member=membership.user, by=by, now=now)


def _keep_an_owner(membership: Membership) -> None:
    if membership.role != Role.OWNER:
        return
    owners = Membership.objects.filter(account_id=membership.account_id, role=Role.OWNER)
    if not owners.exclude(pk=membership.pk).exists():
        raise ValidationError(
            _("An account needs an owner. Make somebody else an owner first."), code="last_owner"
        )


def _record(
    membership: Membership, action: str, by: User, now: datetime, reason: str, **details: str
) -> None:
    AuditEvent.objects.create(
        account=membership.account,
        actor=by,
        action=action,
        reason=reason,
        details={"member": membership.user.email, **details},
        created_at=now,
    )
