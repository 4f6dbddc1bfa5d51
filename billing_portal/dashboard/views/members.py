"""Members: invite, change a role, remove, leave."""

import uuid

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import api_keys, invitations, members
from accounts.models import Invitation, Membership
from accounts.roles import Role
from billing_portal.dashboard.access import (
    MemberRequest,
    form_action,
    managing_page,
    member_page,
)
from billing_portal.dashboard.members_forms import InviteForm, RoleForm
from billing_portal.dashboard.members_page import build_members
from billing_portal.dashboard.shell import page

NAV = "billing-settings"


@require_http_methods(["GET", "HEAD"])
@member_page
def members_list(request: MemberRequest) -> HttpResponse:
    """Show who may come in, and who is invited."""
    return _page(request)


@form_action(page="members")
@managing_page
def invite(request: MemberRequest) -> HttpResponse:
    """Invite an address."""
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        invitation = invitations.invite(
            account=request.member.account, by=request.user, now=timezone.now(), **form.cleaned_data
        )
    except ValidationError as error:
        form.add_error(None, error)
        return _page(request, form)
    messages.success(
        request,
        _("%(email)s gets an e-mail with a link to accept.") % {"email": invitation.email},
    )
    return redirect("members")


@form_action(page="members")
@managing_page
def change_role(request: MemberRequest, pk: int) -> HttpResponse:
    """Give a member another role."""
    membership = _own_member(request, pk)
    form = RoleForm(request.POST)
    role = form.cleaned_data["role"] if form.is_valid() else ""
    try:
        members.change_role(membership=membership, role=role, by=request.user, now=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(
            request,
            _("%(member)s has the role %(role)s now.")
            % {"member": membership.user.spoken_name, "role": Role(role).label},
        )
    return redirect("members")


@form_action(page="members")
@managing_page
def remove(request: MemberRequest, pk: int) -> HttpResponse:
    """Take a member's access."""
    membership, now = _own_member(request, pk), timezone.now()
    try:
        members.remove(membership=membership, by=request.user, now=now)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        kept = api_keys.in_use_made_by(
            account=request.member.account, user=membership.user, now=now
        )
        messages.success(
            request,
            _("%(member)s was removed and has no access any more.")
            % {"member": membership.user.spoken_name},
        )
        if kept:
            messages.warning(
                request,
                _("They made API keys that still work: %(names)s. Revoke them under API keys.")
                % {"names": ", ".join(key.name for key in kept)},
            )
    return redirect("members")


@form_action(page="members")
@member_page
def leave(request: MemberRequest) -> HttpResponse:
    """Give up one's own access: every role may, but for the last owner."""
    member = request.member
    try:
        members.remove(membership=member.membership, by=request.user, now=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("members")
    messages.success(request, _("You left %(account)s.") % {"account": member.account.name})
    return redirect("billing-overview")


@form_action(page="members")
@managing_page
def resend_invitation(request: MemberRequest, pk: uuid.UUID) -> HttpResponse:
    """Send a new link."""
    invitation = _own_invitation(request, pk)
    try:
        invitations.resend(invitation=invitation, by=request.user, now=timezone.now())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(
            request,
            _("%(email)s gets a new link; the old one does not work any more.")
            % {"email": invitation.email},
        )
    return redirect("members")


@form_action(page="members")
@managing_page
def revoke_invitation(request: MemberRequest, pk: uuid.UUID) -> HttpResponse:
    """Make the link worthless."""
    invitation = _own_invitation(request, pk)
    invitations.revoke(invitation=invitation, by=request.user, now=timezone.now())
    messages.success(
        request, _("The invitation of %(email)s is revoked.") % {"email": invitation.email}
    )
    return redirect("members")


def _own_member(request: MemberRequest, pk: int) -> Membership:
    members_of_account = Membership.objects.select_related("user")
    return get_object_or_404(members_of_account, pk=pk, account=request.member.account)


def _own_invitation(request: MemberRequest, pk: uuid.UUID) -> Invitation:
    return get_object_or_404(Invitation, pk=pk, account=request.member.account)


def _page(request: MemberRequest, form: InviteForm | None = None) -> HttpResponse:
    composed = build_members(member=request.member, now=timezone.now(), form=form)
    context = {"page": composed}
    status = 200 if form is None else 422
    return page(request, "dashboard/members.html", context, nav=NAV, status=status)
