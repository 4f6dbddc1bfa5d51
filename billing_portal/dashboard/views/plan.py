"""Plans: compare and choose."""

from datetime import datetime

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.recorded_words import translated
from billing_portal.dashboard.access import MemberRequest, acting_page, form_action, member_page
from billing_portal.dashboard.plan_cancel_page import build_cancel_page
from billing_portal.dashboard.plan_costs_panel import REGION, build_costs_panel, periods_asked
from billing_portal.dashboard.plan_page import build_plan_page, day_of
from billing_portal.dashboard.plan_quote_page import build_quote_page
from billing_portal.dashboard.plan_state import read_plan_state
from billing_portal.dashboard.plan_table import build_plan_table
from billing_portal.dashboard.rentals_panel import build_rentals_panel
from billing_portal.dashboard.shell import page
from invoices.models import Status
from plans import cancellation, plan_changes, plan_quotes, renewal_charges, subscriptions
from plans.models import PlanVersion, Subscription
from plans.plan_changes import Agreed
from plans.plan_quotes import Kind

NAV = "plan"
REGIONS = {REGION: "dashboard/_plan_costs.html"}


@require_safe
@member_page
def plan(request: MemberRequest) -> HttpResponse:
    """Show the plans side by side, what is rented, and what each plan would have cost."""
    state = read_plan_state(
        account=request.member.account,
        may_act=request.member.may_act,
        now=timezone.now(),
        asked=periods_asked(request.GET.get("periods", "")),
    )
    context = {
        "plans": build_plan_page(state),
        "rentals": build_rentals_panel(state),
        "costs": build_costs_panel(state),
        "table": build_plan_table(state),
    }
    return page(request, "dashboard/plan.html", context, nav=NAV, regions=REGIONS)


@require_http_methods(["GET", "HEAD", "POST"])
@acting_page
def choose(request: MemberRequest, slug: str) -> HttpResponse:
    """Show what moving to the plan comes to; on POST do exactly what was shown."""
    account, now = request.member.account, timezone.now()
    version = _offered_version(request, slug)
    try:
        current = plan_quotes.check_may_change(account=account, plan_version=version, now=now)
    except ValidationError as error:
        messages.warning(request, " ".join(error.messages))
        return redirect("plan")
    if request.method != "POST":
        return _quote_page(request, version, current)
    try:
        agreed = plan_changes.agree(
            account=account,
            plan_version=version,
            sealed=request.POST.get("quote", ""),
            by=request.user,
            now=now,
            is_on_session=True,
        )
    except ValidationError as error:
        return _quote_page(request, version, problem=" ".join(error.messages))
    return _answer(request, version, agreed, now)


def _answer(
    request: MemberRequest, version: PlanVersion, agreed: Agreed, now: datetime
) -> HttpResponse:
    """Say what came of agreeing, or lead to where it goes on."""
    name, transaction = version.plan.title, agreed.transaction
    if agreed.quote.kind == Kind.DOWNGRADE:
        day = day_of(agreed.quote.next_renewal_at, request.member.account)
        messages.success(
            request, _("Your plan changes to %(name)s on %(day)s.") % {"name": name, "day": day}
        )
        return redirect("plan")
    if transaction is None or transaction.status == Status.PAID:
        messages.success(request, _("You are on %(name)s now.") % {"name": name})
        return redirect("billing-overview")
    if transaction.can_be_confirmed(now):
        return redirect("payment-confirm", number=transaction.number)
    if transaction.status == Status.FAILED:
        why = translated(transaction.failure_message) or _("The payment was not completed.")
        return _quote_page(
            request, version, problem=_("%(reason)s Nothing was charged.") % {"reason": why}
        )
    messages.info(
        request,
        _("The bank has not answered yet. %(name)s begins once it is paid.") % {"name": name},
    )
    return redirect("billing-history-detail", number=transaction.number)


@require_http_methods(["GET", "HEAD", "POST"])
@acting_page
def cancel(request: MemberRequest) -> HttpResponse:
    """Show what ends with the plan; on POST cancel it."""
    account, now = request.member.account, timezone.now()
    subscription = subscriptions.current(account=account)
    if subscription is None:
        messages.info(request, _("There is no plan to cancel."))
        return redirect("plan")
    problem = ""
    if request.method == "POST":
        try:
            subscription = cancellation.cancel(account=account, by=request.user, now=now)
        except ValidationError as error:
            problem = " ".join(error.messages)
        else:
            name = subscription.plan_version.plan.title
            ends = subscription.ended_at or subscription.current_period_end
            said = (
                _("Canceled: %(name)s ended on %(day)s.")
                if subscription.ended_at
                else _("Canceled: %(name)s ends on %(day)s.")
            )
            messages.success(request, said % {"name": name, "day": day_of(ends, account)})
            return redirect("plan")
    composed = build_cancel_page(
        account=account, subscription=subscription, now=now, problem=problem
    )
    status = 422 if problem else 200
    return page(request, "dashboard/cancel_plan.html", {"cancel": composed}, nav=NAV, status=status)


@form_action(page="plan")
@acting_page
def keep(request: MemberRequest) -> HttpResponse:
    """Undo what waits for the end of the period: a cancellation, or a change of plan."""
    account, now = request.member.account, timezone.now()
    current = subscriptions.current(account=account)
    if current is not None and current.cancel_at_period_end:
        try:
            cancellation.keep(account=account, by=request.user, now=now)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return redirect("plan")
    elif plan_changes.take_back(account=account, by=request.user, now=now) is None:
        messages.info(request, _("There is nothing to take back."))
        return redirect("plan")
    if current is not None:
        messages.success(
            request, _("You keep %(plan)s.") % {"plan": current.plan_version.plan.title}
        )
    return redirect("plan")


@form_action(page="billing-overview")
@acting_page
def pay_now(request: MemberRequest) -> HttpResponse:
    """Charge the unpaid renewal to the default card."""
    account, now = request.member.account, timezone.now()
    try:
        transaction = renewal_charges.pay_now(
            account=account, by=request.user, now=now, is_on_session=True
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("billing-overview")
    if transaction.status == Status.PAID:
        messages.success(request, _("The renewal is paid. Thank you."))
        return redirect("billing-overview")
    if transaction.can_be_confirmed(now):
        return redirect("payment-confirm", number=transaction.number)
    return redirect("billing-history-detail", number=transaction.number)


def _offered_version(request: MemberRequest, slug: str) -> PlanVersion:
    for version in subscriptions.offered_to(account=request.member.account):
        if version.plan.slug == slug:
            return version
    raise Http404


def _quote_page(
    request: MemberRequest,
    version: PlanVersion,
    current: Subscription | None = None,
    *,
    problem: str = "",
) -> HttpResponse:
    account = request.member.account
    quote = plan_quotes.quote(
        account=account, plan_version=version, at=timezone.now(), subscription=current
    )
    composed = build_quote_page(account=account, quote=quote, problem=problem)
    status = 422 if problem else 200
    return page(request, "dashboard/choose_plan.html", {"quote": composed}, nav=NAV, status=status)
