"""Another address to sign in with: asked for, and said yes to from its mailbox."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import email_changes
from billing_portal.dashboard.access import MemberRequest, member_page
from billing_portal.dashboard.shell import page
from billing_portal.dashboard.sign_in_page import NewEmailForm

NAV = "billing-settings"


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
@reauthentication_required
def change_email(request: MemberRequest) -> HttpResponse:
    """Ask for another address; the password is said again before."""
    form = NewEmailForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        try:
            email_changes.ask(
                user=request.user, account=request.member.account, email=email, now=timezone.now()
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(
                request,
                _("If %(email)s can be used, an e-mail with a link is on its way there.")
                % {"email": email.strip()},
            )
            return redirect("sign-in")
    status = 422 if form.errors else 200
    context = {"form": form, "email": request.user.email}
    return page(request, "dashboard/change_email.html", context, nav=NAV, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def confirm_email(request: MemberRequest, token: str) -> HttpResponse:
    """Ask whether the new address is to be signed in with; on POST do so."""
    now = timezone.now()
    try:
        email = email_changes.read(token=token, user=request.user, now=now)
        if request.method == "POST":
            previous = request.user.email
            email_changes.confirm(token=token, user=request.user, now=now)
            messages.success(
                request, _("From now on you sign in with %(email)s.") % {"email": email}
            )
            _warn_of_notices(request, previous=previous)
            return redirect("sign-in")
    except (email_changes.LinkIsOver, ValidationError):
        messages.error(
            request,
            _("This link does not work: it was used, is older than a day, or is somebody else's."),
        )
        return redirect("sign-in")
    context = {"email": email, "previous": request.user.email}
    return page(request, "dashboard/confirm_email.html", context, nav=NAV)


def _warn_of_notices(request: MemberRequest, *, previous: str) -> None:
    """Say so when receipts and notices still go to the address that was left."""
    account = request.member.account
    if account.contact_email.lower() == previous.lower():
        messages.warning(
            request,
            _("Notices of %(account)s still go to %(email)s: change that under Billing.")
            % {"account": account.name, "email": previous},
        )
