"""Confirming a payment with the bank (3-D Secure), from an e-mail's link or right after paying."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import gateway
from accounts.money import format_omr, format_usd
from billing_portal.dashboard.access import MemberRequest, member_page, own_transaction
from billing_portal.dashboard.confirm_page import build_confirm_page
from billing_portal.dashboard.shell import page
from billing_portal.dashboard.views.cards import UNREACHABLE
from invoices import checkout, confirmations
from invoices.models import Status, Transaction

NAV = "billing-history"


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def confirm(request: MemberRequest, number: str) -> HttpResponse:
    """Show the payment and let the customer answer their bank; on POST see what came of it."""
    transaction = _own_payment(request, number)
    now = timezone.now()
    if request.method == "POST":
        transaction = checkout.refresh(transaction_id=transaction.pk, now=now)
    if transaction.status == Status.PAID:
        return _paid(request, transaction)
    try:
        confirmation = confirmations.begin(transaction=transaction, now=now)
    except (gateway.GatewayUnavailable, gateway.GatewayRefused):
        confirmation = confirmations.Confirmation(transaction, str(UNREACHABLE))
    if confirmation.transaction.status == Status.PAID:
        return _paid(request, confirmation.transaction)
    composed = build_confirm_page(confirmation, was_tried=request.method == "POST")
    return page(request, "dashboard/confirm.html", {"confirm": composed}, nav=NAV)


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def decline(request: MemberRequest, number: str) -> HttpResponse:
    """The customer does not want this payment: cancel it."""
    transaction = _own_payment(request, number)
    if request.method == "POST":
        now = timezone.now()
        settled = confirmations.decline(transaction=transaction, by=request.user, now=now)
        if settled.status == Status.PAID:
            return _paid(request, settled)
        messages.success(request, _("The payment was canceled. Nothing was charged."))
    return redirect("billing-history-detail", number=number)


def _own_payment(request: MemberRequest, number: str) -> Transaction:
    """The payment, for a member who may act in the account that it is of."""
    transaction = own_transaction(request, number=number)
    if not request.member.may_act:
        raise PermissionDenied(_("This role may look, not change."))
    return transaction


def _paid(request: MemberRequest, transaction: Transaction) -> HttpResponse:
    amount = format_usd(transaction.amount.amount)
    charged = format_omr(transaction.charged_amount.amount)
    said = _("Your payment of %(amount)s is made; %(charged)s was charged.")
    messages.success(request, said % {"amount": amount, "charged": charged})
    return redirect("billing-history-detail", number=transaction.number)
