"""API keys of the account: made, shown once, revoked."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import api_keys
from accounts.models import ApiKey
from billing_portal.dashboard.access import (
    MemberRequest,
    form_action,
    managing_page,
    member_page,
)
from billing_portal.dashboard.api_keys_page import NewKeyForm, build_keys
from billing_portal.dashboard.shell import page

NAV = "billing-settings"


@require_safe
@member_page
def keys(request: MemberRequest) -> HttpResponse:
    """Show the account's keys."""
    composed = build_keys(member=request.member, now=timezone.now())
    return page(request, "dashboard/api_keys.html", {"page": composed}, nav=NAV)


@form_action(page="api-keys")
@managing_page
def create(request: MemberRequest) -> HttpResponse:
    """Make a key and show it in the answer, which is kept nowhere: no redirect could show it."""
    now = timezone.now()
    form = NewKeyForm(request.POST)
    if not form.is_valid():
        return _again(request, form)
    try:
        made = api_keys.create_for_account(
            account=request.member.account,
            name=form.cleaned_data["name"],
            expires_at=form.expires_at(now=now),
            by=request.user,
            request_key=form.cleaned_data["request_key"],
            now=now,
        )
    except api_keys.MadeAlready:
        messages.info(
            request,
            _("This key was made already, and shown. If you did not keep it, revoke it here."),
        )
        return redirect("api-keys")
    except ValidationError as error:
        form.add_error(None, error)
        return _again(request, form)
    composed = build_keys(member=request.member, now=now, made=made)
    return page(request, "dashboard/api_keys.html", {"page": composed}, nav=NAV)


@form_action(page="api-keys")
@managing_page
def revoke(request: MemberRequest, pk: int) -> HttpResponse:
    """Make a key worthless, from its next request on."""
    key = get_object_or_404(ApiKey, pk=pk, account=request.member.account)
    api_keys.revoke(key=key, by=request.user, now=timezone.now())
    messages.success(request, _("%(name)s is revoked: it works no more.") % {"name": key.name})
    return redirect("api-keys")


def _again(request: MemberRequest, form: NewKeyForm) -> HttpResponse:
    """The page, with what was typed and why no key was made."""
    composed = build_keys(member=request.member, now=timezone.now(), form=form)
    context = {"page": composed}
    return page(request, "dashboard/api_keys.html", context, nav=NAV, status=422)
