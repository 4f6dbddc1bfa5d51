"""Your sign-in."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from billing_portal.dashboard.access import MemberRequest, member_page
from billing_portal.dashboard.shell import page
from billing_portal.dashboard.sign_in_page import build_sign_in

NAV = "billing-settings"


@require_safe
@member_page
def sign_in(request: MemberRequest) -> HttpResponse:
    """Show what a member sets of themselves: every role its own."""
    composed = build_sign_in(request.user)
    return page(request, "dashboard/sign_in.html", {"page": composed}, nav=NAV)
