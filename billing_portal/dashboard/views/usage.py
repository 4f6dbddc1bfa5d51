"""Usage: what it cost, the history, why a record was charged, the export."""

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing_portal.dashboard.access import MemberRequest, enter_account, member_page
from billing_portal.dashboard.shell import page
from billing_portal.dashboard.usage_forms import UsageFilterForm, UsageOverviewForm
from billing_portal.dashboard.usage_history_page import (
    build_usage_explanation,
    build_usage_history,
)
from billing_portal.dashboard.usage_page import build_usage
from billing_portal.downloads import csv
from plans import daily_spend, usage_explanation, usage_history
from plans.models import UsageRecord

NAV = "usage"
REGIONS = {"usage-figures": "dashboard/_usage_figures.html"}
HISTORY_REGIONS = {"usage-list": "dashboard/_usage_list.html"}
#: Workspaces to choose from: no more than one can look through.
MOST_WORKSPACES = 200
#: What a column of ids holds.
_LARGEST_ID = 2**63 - 1


@require_safe
@member_page
def overview(request: MemberRequest) -> HttpResponse:
    """Show what usage cost, how much and how often, over some days."""
    account, now = request.member.account, timezone.now()
    today = now.astimezone(account.timezone).date()
    workspaces = daily_spend.workspaces(account=account, most=MOST_WORKSPACES)
    form = UsageOverviewForm(request.GET, workspaces=workspaces, today=today)
    composed = build_usage(account=account, form=form, now=now)
    context = {"usage": composed, "form": form, "zone": account.timezone}
    return page(request, "dashboard/usage.html", context, nav=NAV, regions=REGIONS)


@require_safe
@member_page
def history(request: MemberRequest) -> HttpResponse:
    """Show every record, newest first: what was searched for, filtered."""
    account = request.member.account
    # The list alone is without what stands around it.
    is_whole = request.htmx.target not in HISTORY_REGIONS
    workspaces = daily_spend.workspaces(account=account, most=MOST_WORKSPACES) if is_whole else ()
    form = UsageFilterForm(request.GET, workspaces=workspaces)
    composed = build_usage_history(
        account=account,
        form=form,
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
    )
    context = {"history": composed, "form": form, "zone": account.timezone}
    return page(request, "dashboard/usage_history.html", context, nav=NAV, regions=HISTORY_REGIONS)


@require_safe
@member_page
def record(request: MemberRequest, pk: int) -> HttpResponse:
    """Explain one record: as a page, or for the line that HTMX opens."""
    accounts = [membership.account_id for membership in request.member.memberships]
    found = (
        UsageRecord.objects.filter(account__in=accounts, pk=min(pk, _LARGEST_ID))
        .select_related("feature", "renewal", "plan_version__plan")
        .first()
    )
    if found is None:
        raise Http404
    if found.account_id != request.member.account.pk:
        enter_account(request, found.account_id)
    explained = build_usage_explanation(
        usage_explanation.explain(record=found), account=request.member.account
    )
    context = {"explained": explained}
    if request.htmx:
        return render(request, "dashboard/_usage_explanation.html", context)
    return page(request, "dashboard/usage_record.html", context, nav=NAV)


@require_safe
@member_page
def export(request: MemberRequest) -> HttpResponseBase:
    """Download the filtered records as CSV."""
    account = request.member.account
    form = UsageFilterForm(request.GET)
    form.is_valid()
    found = usage_history.find(account=account, filters=form.cleaned_data)
    rows = usage_history.as_csv(found, timezone=account.timezone)
    return csv(rows, filename="usage.csv")
