"""Settings."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import billing_details, receipt_copies
from accounts.models import Account
from accounts.money import format_usd
from billing_portal.dashboard.access import MemberRequest, acting_page, form_action, member_page
from billing_portal.dashboard.forms import LowBalanceForm
from billing_portal.dashboard.settings_forms import (
    BillingDetailsForm,
    ReceiptCopiesForm,
    SpendCapForm,
    TimeAndLanguageForm,
)
from billing_portal.dashboard.settings_page import build_settings
from billing_portal.dashboard.shell import page
from plans import spend_caps
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
        messages.success(request, _("You are not told of a low balance any more."))
    else:
        messages.success(
            request,
            _("You are told when the balance falls below %(limit)s.")
            % {"limit": format_usd(limit)},
        )
    return redirect("billing-settings")


@form_action(page="billing-settings")
@acting_page
def save_spend_cap(request: MemberRequest) -> HttpResponse:
    """Save what usage may cost in a period, or that it may cost anything."""
    form = SpendCapForm(request.POST)
    if not form.is_valid():
        return _again(request, spend_cap_form=form)
    cap = form.cleaned_data["cap"] if form.cleaned_data["capped"] else None
    try:
        spend_caps.set_cap(
            account=request.member.account, cap=cap, by=request.user, now=timezone.now()
        )
    except ValidationError as error:
        form.add_error(None, error)
        return _again(request, spend_cap_form=form)
    if cap is None:
        messages.success(request, _("There is no spend cap any more."))
    else:
        messages.success(
            request,
            _("Usage may cost at most %(cap)s in a period.") % {"cap": format_usd(cap)},
        )
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
    messages.success(request, _("Saved. Receipts of earlier payments stay as they are."))
    return redirect("billing-settings")


@form_action(page="billing-settings")
@acting_page
def save_receipt_copies(request: MemberRequest) -> HttpResponse:
    """Save who else gets receipts."""
    form = ReceiptCopiesForm(request.POST)
    if not form.is_valid():
        return _again(request, receipt_copies_form=form)
    try:
        receipt_copies.change(
            account=request.member.account,
            addresses=form.cleaned_data["addresses"],
            by=request.user,
            now=timezone.now(),
        )
    except ValidationError as error:
        form.add_error("addresses", error)
        return _again(request, receipt_copies_form=form)
    messages.success(request, _("Saved. It counts from the next receipt on."))
    return redirect("billing-settings")


@form_action(page="billing-settings")
@acting_page
def save_time_and_language(request: MemberRequest) -> HttpResponse:
    """Save the zone of the account's times, and the language of its e-mails."""
    account = request.member.account
    form = TimeAndLanguageForm(request.POST, current=str(account.timezone))
    if not form.is_valid():
        return _again(request, time_form=form)
    try:
        billing_details.change(
            account=account, details=form.cleaned_data, by=request.user, now=timezone.now()
        )
    except ValidationError as error:
        form.add_error(None, error)
        return _again(request, time_form=form)
    messages.success(
        request, _("Saved. Times are in %(zone)s.") % {"zone": form.cleaned_data["timezone"]}
    )
    return redirect("billing-settings")


def _again(request: MemberRequest, **forms: Any) -> HttpResponse:
    """The page, with what was typed and why it could not be saved."""
    composed = build_settings(account=request.member.account, may_act=True, **forms)
    context = {"settings": composed}
    return page(request, "dashboard/settings.html", context, nav=NAV, status=422)
