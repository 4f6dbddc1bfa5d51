"""Auto-Refill: the switch, the Threshold and the Top Up Amount."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from billing_portal.dashboard.access import MemberRequest, acting_page, form_action
from billing_portal.dashboard.forms import AutoRefillForm
from billing_portal.dashboard.overview import build_overview
from billing_portal.dashboard.overview_state import read_state
from billing_portal.dashboard.refill_panel import build_confirmation, charges_on_saving
from billing_portal.dashboard.shell import page
from invoices import charging
from wallet import refill_rules

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
    terms, enabled = form.terms, form.cleaned_data["enabled"]
    count = 0
    if enabled:
        count = charges_on_saving(state, terms)
    if count:
        total = count * charging.quote(terms.amount, account=account).amount
        # More than was agreed to, because something changed since, is asked again.
        if total > (form.cleaned_data["confirmed"] or 0):
            confirm = build_confirmation(state, terms=terms, count=count)
            context = {"confirm": confirm}
            return page(request, "dashboard/auto_refill_confirm.html", context, nav=NAV)
    try:
        refill_rules.configure(
            account=account,
            enabled=enabled,
            terms=terms,
            minimum=minimum,
            by=request.user,
            now=now,
        )
    except ValidationError as error:
        form.add_service_errors(error)
        return _again(request, form)
    if count:
        messages.success(request, _("Auto-Refill is on. The first top-up is being charged now."))
    else:
        messages.success(request, _("Auto-Refill is on.") if enabled else _("Auto-Refill is off."))
    return redirect("billing-overview")


def _again(request: MemberRequest, form: AutoRefillForm) -> HttpResponse:
    """The Overview, with what was typed and why it could not be saved."""
    composed = build_overview(
        account=request.member.account, now=timezone.now(), may_act=True, refill_form=form
    )
    return page(request, "dashboard/overview.html", {"overview": composed}, nav=NAV, status=422)
