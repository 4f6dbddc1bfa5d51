"""Billing Overview."""

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing_portal.dashboard.access import MemberRequest, member_page
from billing_portal.dashboard.overview import build_overview
from billing_portal.dashboard.shell import page


@require_safe
@member_page
def overview(request: MemberRequest) -> HttpResponse:
    """Show the balance, the plan, usage and what needs doing."""
    composed = build_overview(
        account=request.member.account, now=timezone.now(), may_act=request.member.may_act
    )
    return page(request, "dashboard/overview.html", {"overview": composed}, nav="billing-overview")
