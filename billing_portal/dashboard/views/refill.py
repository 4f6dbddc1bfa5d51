"""Auto-Refill: the switch, the Threshold and the Top Up Amount."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from billing_portal.dashboard.access import MemberRequest, acting_page, form_action
from billing_portal.dashboard.forms import AutoRefillForm
from billing_portal.dashboard.overview import build_overview
from billing_portal.dashboard.overview_state import read_state
from billing_portal.dashboard.refill_panel import build_confirmation, charges_at_once
from billing_portal.dashboard.shell import page
from wallet import refills

NAV = "billing-overview"


@form_action(page="billing-overview")
@acting_page
def auto_refill(request: MemberRequest) -> HttpResponse:
    """Save the rule; when that would charge the card at once, say so and ask first."""
    account, now = request.member.account, timezone.now()
    state = read_state(account=account, now=now, may_act=True)
    minimum = state.minimum_top_up
    form = AutoRefillForm(request.POST, minimum=minimum)
    if not form.is_valid():
        return _again(request, form)
    threshold, amount = form.cleaned_data["threshold"], form.cleaned_data["amount"]
    enabled = form.cleaned_data["enabled"]
    charges = enabled and charges_at_once(state, threshold=threshold)
    if charges and not form.cleaned_data["confirmed"]:
        confirm = build_confirmation(state, threshold=threshold, amount=amount)
        return page(request, "dashboard/auto_refill_confirm.html", {"confirm": confirm}, nav=NAV)
    try:
        refills.configure(
            account=account,
            enabled=enabled,
            threshold=threshold,
            amount=amount,
            minimum=minimum,
            by=request.user,
            now=now,
        )
    except ValidationError as error:
        form.add_service_errors(error)
        return _again(request, form)
    if charges:
        messages.success(request, "Auto-Refill is on. The first top-up is being charged now.")
    else:
        messages.success(request, f"Auto-Refill is {'on' if enabled else 'off'}.")
    return redirect("billing-overview")


def _again(request: MemberRequest, form: AutoRefillForm) -> HttpResponse:
    """The Overview, with what was typed and why it could not be saved."""
    composed = build_overview(
        account=request.member.account, now=timezone.now(), may_act=True, refill_form=form
    )
    return page(request, "dashboard/overview.html", {"overview": composed}, nav=NAV, status=422)
