"""Plans: compare and choose."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from billing_portal.dashboard.access import MemberRequest, acting_page, form_action, member_page
from billing_portal.dashboard.plan_page import build_plan_page, build_quote, why_blocked
from billing_portal.dashboard.rentals_panel import build_rentals_panel
from billing_portal.dashboard.shell import page
from invoices.models import Status
from plans import renewal_charges, subscriptions
from plans.models import PlanVersion

NAV = "plan"
CHANGED = "The total changed while this page was open. Please look at it again."


@require_safe
@member_page
def plan(request: MemberRequest) -> HttpResponse:
    """Show the plans side by side."""
    account, may_act = request.member.account, request.member.may_act
    context = {
        "plans": build_plan_page(account=account, may_act=may_act),
        "rentals": build_rentals_panel(account=account, may_act=may_act),
    }
    return page(request, "dashboard/plan.html", context, nav=NAV)


@require_http_methods(["GET", "HEAD", "POST"])
@acting_page
def subscribe(request: MemberRequest, slug: str) -> HttpResponse:
    """Show what the plan charges; on POST charge exactly that and begin the plan."""
    account = request.member.account
    version = _offered_version(request, slug)
    current = subscriptions.current(account=account)
    if current and current.plan_version.plan_id == version.plan_id:
        messages.info(request, f"You are on {version.plan.name} already.")
        return redirect("plan")
    if version.monthly_price.amount and (why := why_blocked(account)):
        messages.warning(request, why)
        return redirect("plan")
    if request.method != "POST":
        return _quote_page(request, version)
    now = timezone.now()
    preview = subscriptions.preview(account=account, plan_version=version, now=now)
    if request.POST.get("total") != f"{preview.price.amount:.2f}":
        return _quote_page(request, version, problem=CHANGED)
    try:
        transaction = subscriptions.subscribe(
            account=account, plan_version=version, by=request.user, now=now, is_on_session=True
        )
    except ValidationError as error:
        return _quote_page(request, version, problem=" ".join(error.messages))
    if transaction is None or transaction.status == Status.PAID:
        messages.success(request, f"You are on {version.plan.name} now.")
        return redirect("billing-overview")
    if transaction.can_be_confirmed(now):
        return redirect("payment-confirm", number=transaction.number)
    if transaction.status == Status.FAILED:
        why = transaction.failure_message or "The payment was not completed."
        return _quote_page(request, version, problem=f"{why} Nothing was charged.")
    messages.info(request, "The bank has not answered yet. The plan begins once it is paid.")
    return redirect("billing-history-detail", number=transaction.number)


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
        messages.success(request, "The renewal is paid. Thank you.")
        return redirect("billing-overview")
    if transaction.can_be_confirmed(now):
        return redirect("payment-confirm", number=transaction.number)
    return redirect("billing-history-detail", number=transaction.number)


def _offered_version(request: MemberRequest, slug: str) -> PlanVersion:
    for version in subscriptions.offered_to(account=request.member.account):
        if version.plan.slug == slug:
            return version
    raise Http404


def _quote_page(request: MemberRequest, version: PlanVersion, *, problem: str = "") -> HttpResponse:
    quote = build_quote(
        account=request.member.account, version=version, now=timezone.now(), problem=problem
    )
    status = 422 if problem else 200
    return page(request, "dashboard/subscribe.html", {"quote": quote}, nav=NAV, status=status)
