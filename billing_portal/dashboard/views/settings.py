"""Settings."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import billing_details
from accounts.models import Account
from accounts.money import format_usd
from billing_portal.dashboard.access import MemberRequest, acting_page, form_action, member_page
from billing_portal.dashboard.forms import BillingDetailsForm, LowBalanceForm
from billing_portal.dashboard.settings_page import build_settings
from billing_portal.dashboard.shell import page
from wallet import low_balance

NAV = "billing-settings"


@require_safe
@member_page
def settings(request: MemberRequest) -> HttpResponse:
    """Show what is set."""
    composed = build_settings(account=request.member.account, may_act=request.member.may_act)
    return page(request, "dashboard/settings.html", {"settings": composed}, nav=NAV)


@form_action(page="billing-settings")
@acting_page
def save_low_balance(request: MemberRequest) -> HttpResponse:
    """Save below what the customer is told of a low balance, or that they are not."""
    form = LowBalanceForm(request.POST)
    if not form.is_valid():
        return _again(request, low_balance_form=form)
    limit = form.cleaned_data["limit"] if form.cleaned_data["told"] else None
    try:
        low_balance.set_limit(
            account=request.member.account, limit=limit, by=request.user, now=timezone.now()
        )
    except ValidationError as error:
        form.add_error(None, error)
        return _again(request, low_balance_form=form)
    if limit is None:
        messages.success(request, "You are not told of a low balance any more.")
    else:
        messages.success(request, f"You are told when the balance falls below {format_usd(limit)}.")
    return redirect("billing-settings")


@form_action(page="billing-settings")
@acting_page
def save_billing_details(request: MemberRequest) -> HttpResponse:
    """Save what receipts say from now on."""
    account = Account.objects.get(pk=request.member.account.pk)
    # The form writes what was typed into its own copy; the service saves it.
    form = BillingDetailsForm(request.POST, instance=account)
    if not form.is_valid():
        return _again(request, billing_details_form=form)
    try:
        billing_details.change(
            account=account, details=form.cleaned_data, by=request.user, now=timezone.now()
        )
    except ValidationError as error:
        form.add_error(None, error)
        return _again(request, billing_details_form=form)
    messages.success(request, "Saved. Receipts of earlier payments stay as they are.")
    return redirect("billing-settings")


def _again(request: MemberRequest, **forms: Any) -> HttpResponse:
    """The page, with what was typed and why it could not be saved."""
    composed = build_settings(account=request.member.account, may_act=True, **forms)
    context = {"settings": composed}
    return page(request, "dashboard/settings.html", context, nav=NAV, status=422)
