"""The page behind the link of an invitation: for whoever has the link, member of nothing yet."""

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth import login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import invitations
from accounts.models import Invitation, User
from accounts.roles import Role
from billing_portal.dashboard.access import SESSION_ACCOUNT
from billing_portal.dashboard.members_forms import JoinForm

#: Who chose a password here is signed in as Django's own login form would.
_BACKEND = "django.contrib.auth.backends.ModelBackend"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show what one is invited to; on POST accept it.

    A link that is wrong, expired, revoked or used answers the same, whosever it was.
    """
    now = timezone.now()
    try:
        found = invitations.find(token=token, now=now)
        user = request.user
        if isinstance(user, User) and user.email.lower() == found.email.lower():
            if request.method != "POST":
                return _page(request, found, step="join")
            membership = invitations.accept(token=token, user=user, now=now)
            return _welcome(request, found, membership.role)
        if isinstance(user, User):
            return _page(request, found, step="somebody_else")
        if not invitations.needs_password(invitation=found):
            return _page(request, found, step="sign_in")
        return _choose_password(request, found, token)
    except (invitations.NotOpen, invitations.ForSomebodyElse):
        return render(request, "dashboard/invitation_over.html", status=404)


def _choose_password(request: HttpRequest, found: Invitation, token: str) -> HttpResponse:
    if request.method != "POST":
        return _page(request, found, step="new", form=JoinForm())
    form = JoinForm(request.POST)
    if not form.is_valid():
        return _page(request, found, step="new", form=form)
    try:
        user = invitations.accept_as_new(token=token, now=timezone.now(), **form.cleaned_data)
    except ValidationError as error:
        form.add_error(None, error)
        return _page(request, found, step="new", form=form)
    login(request, user, backend=_BACKEND)
    return _welcome(request, found, found.role)


def _welcome(request: HttpRequest, found: Invitation, role: str) -> HttpResponse:
    request.session[SESSION_ACCOUNT] = str(found.account_id)
    messages.success(
        request,
        _("Welcome to %(account)s. Your role is %(role)s.")
        % {"account": found.account.name, "role": Role(role).label},
    )
    return redirect("billing-overview")


def _page(
    request: HttpRequest, found: Invitation, *, step: str, form: JoinForm | None = None
) -> HttpResponse:
    here = request.path
    context = {
        "account_name": found.account.name,
        "email": found.email,
        "invited_by": found.invited_by.email if found.invited_by else "",
        "role": Role(found.role).label,
        "step": step,
        "form": form,
        "sign_in_href": f"{reverse('account_login')}?{urlencode({'next': here})}",
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "dashboard/invitation.html", context, status=status)
