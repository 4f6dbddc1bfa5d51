"""Members: who may come in and as what, and who is invited."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import invitations
from accounts.models import Invitation, Membership
from accounts.roles import Role
from billing_portal.dashboard.access import Member
from billing_portal.dashboard.members_forms import InviteForm, RoleForm
from billing_portal.dashboard.settings_tabs import settings_tabs
from billing_portal.dashboard.tabs import Tab
from billing_portal.dashboard.times import Moment, moment


@dataclass(frozen=True)
class MemberRow:
    """One member, and what may be done with them by who is looking."""

    name: str
    email: str
    role: str
    is_you: bool
    since: Moment
    last_sign_in: Moment | None
    note: str
    role_form: RoleForm | None
    role_href: str
    remove_href: str
    leave_href: str


@dataclass(frozen=True)
class InvitationRow:
    """An address that has not answered yet."""

    email: str
    role: str
    invited_by: str
    expires: Moment
    is_expired: bool
    resend_href: str
    revoke_href: str


@dataclass(frozen=True)
class RoleWords:
    """A role and what comes with it."""

    name: str
    words: str


@dataclass(frozen=True)
class MembersPage:
    """The page."""

    tabs: tuple[Tab, ...]
    may_manage: bool
    members: tuple[MemberRow, ...]
    invitations: tuple[InvitationRow, ...]
    form: InviteForm
    roles: tuple[RoleWords, ...]


def build_members(*, member: Member, now: datetime, form: InviteForm | None = None) -> MembersPage:
    """Compose the page; an invitation that could not be made is shown as it was typed."""
    zone = member.account.timezone
    memberships = list(
        member.account.memberships.select_related("user").order_by("created_at", "pk")
    )
    owners = [each for each in memberships if each.role == Role.OWNER]
    only_owner = owners[0].pk if len(owners) == 1 else None
    return MembersPage(
        tabs=settings_tabs("members"),
        may_manage=member.may_manage,
        members=tuple(
            _member_row(each, member=member, is_only_owner=each.pk == only_owner, zone=zone)
            for each in memberships
        ),
        invitations=tuple(
            _invitation_row(each, may_manage=member.may_manage, zone=zone, now=now)
            for each in invitations.waiting(account=member.account).select_related("invited_by")
        ),
        form=form or InviteForm(),
        roles=_roles(),
    )


def _member_row(
    membership: Membership, *, member: Member, is_only_owner: bool, zone: tzinfo
) -> MemberRow:
    user = membership.user
    is_you = user.pk == member.user.pk
    may_manage = member.may_manage and not is_only_owner
    return MemberRow(
        name=user.get_full_name(),
        email=user.email,
        role=str(Role(membership.role).label),
        is_you=is_you,
        since=moment(membership.created_at, zone),
        last_sign_in=moment(user.last_login, zone) if user.last_login else None,
        note=_("An account needs an owner: make somebody else an owner first.")
        if is_only_owner and member.may_manage
        else "",
        role_form=RoleForm(initial={"role": membership.role}, auto_id=f"role-{membership.pk}-%s")
        if may_manage
        else None,
        role_href=reverse("member-role", args=[membership.pk]) if may_manage else "",
        remove_href=reverse("member-remove", args=[membership.pk])
        if may_manage and not is_you
        else "",
        leave_href=reverse("member-leave") if is_you and not is_only_owner else "",
    )


def _invitation_row(
    invitation: Invitation, *, may_manage: bool, zone: tzinfo, now: datetime
) -> InvitationRow:
    by = invitation.invited_by
    return InvitationRow(
        email=invitation.email,
        role=str(Role(invitation.role).label),
        invited_by=by.spoken_name if by else "",
        expires=moment(invitation.expires_at, zone),
        is_expired=now >= invitation.expires_at,
        resend_href=reverse("invitation-resend", args=[invitation.pk]) if may_manage else "",
        revoke_href=reverse("invitation-revoke", args=[invitation.pk]) if may_manage else "",
    )


def _roles() -> tuple[RoleWords, ...]:
    words = {
        Role.OWNER: _(
            "Sees and changes everything; manages members and API keys, and removes cards in use."
        ),
        Role.BILLING: _("Sees everything, pays, and changes cards, plan and settings."),
        Role.VIEWER: _("Sees everything and changes nothing."),
    }
    return tuple(RoleWords(str(role.label), text) for role, text in words.items())
