"""Activity: who changed what."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from billing_portal.dashboard.access import MemberRequest, member_page
from billing_portal.dashboard.activity_page import ActivityFilterForm, build_activity
from billing_portal.dashboard.shell import page

NAV = "billing-settings"
REGIONS = {"activity-list": "dashboard/_activity_list.html"}


@require_safe
@member_page
def activity(request: MemberRequest) -> HttpResponse:
    """Show the account's changes, newest first, of all kinds or one."""
    form = ActivityFilterForm(request.GET)
    composed = build_activity(
        account=request.member.account,
        form=form,
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
    )
    context = {"page": composed, "form": form}
    return page(request, "dashboard/activity.html", context, nav=NAV, regions=REGIONS)
