"""Billing History: the list, one transaction, its receipt, the export."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing_portal.dashboard.access import MemberRequest, member_page, own_transaction
from billing_portal.dashboard.forms import HistoryFilterForm
from billing_portal.dashboard.history import build_history, filter_transactions
from billing_portal.dashboard.shell import page
from billing_portal.dashboard.transaction_page import build_detail, explain
from billing_portal.downloads import csv, pdf
from invoices import checkout, credit_notes, exports, receipts
from invoices.models import Refund, Status

NAV = "billing-history"
REGIONS = {"history-list": "dashboard/_history_list.html"}


@require_safe
@member_page
def history(request: MemberRequest) -> HttpResponse:
    """Show the account's transactions: what was searched for, filtered."""
    account = request.member.account
    form = HistoryFilterForm(request.GET, account=account)
    composed = build_history(
        account=account,
        form=form,
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
        now=timezone.now(),
        may_act=request.member.may_act,
    )
    context = {"history": composed, "form": form, "zone": account.timezone}
    return page(request, "dashboard/history.html", context, nav=NAV, regions=REGIONS)


@require_safe
@member_page
def detail(request: MemberRequest, number: str) -> HttpResponse:
    """Show one transaction with its lines."""
    transaction = own_transaction(request, number=number)
    composed = build_detail(
        transaction,
        account=transaction.account,
        now=timezone.now(),
        may_act=request.member.may_act,
    )
    return page(request, "dashboard/transaction.html", composed, nav=NAV)


@require_POST
@member_page
def check_again(request: MemberRequest, number: str) -> HttpResponse:
    """Ask Stripe at once how a payment stands. Whoever may see it may ask: it changes no intent."""
    transaction = own_transaction(request, number=number)
    if transaction.is_open:
        now = timezone.now()
        transaction = checkout.check_again(transaction_id=transaction.pk, now=now)
        if transaction.is_open:
            messages.info(
                request,
                _("Checked just now. %(state)s") % {"state": explain(transaction, now=now)},
            )
    return redirect("billing-history-detail", number=transaction.number)


@require_safe
@member_page
def receipt(request: MemberRequest, number: str) -> HttpResponse:
    """Download the PDF receipt; only a paid transaction has one."""
    transaction = own_transaction(request, number=number)
    if transaction.status != Status.PAID:
        raise Http404
    return pdf(receipts.render(transaction), filename=receipts.filename(transaction))


@require_safe
@member_page
def credit_note(request: MemberRequest, number: str, credit_note_number: str) -> HttpResponse:
    """Download the PDF credit note of a refund."""
    refund = get_object_or_404(
        Refund,
        transaction=own_transaction(request, number=number),
        credit_note_number=credit_note_number,
    )
    return pdf(credit_notes.render(refund), filename=credit_notes.filename(refund))


@require_safe
@member_page
def export(request: MemberRequest) -> HttpResponseBase:
    """Download the filtered history as CSV."""
    account = request.member.account
    form = HistoryFilterForm(request.GET, account=account)
    form.is_valid()
    found = filter_transactions(account, form.cleaned_data)
    rows = exports.transactions_csv(found, timezone=account.timezone)
    return csv(rows, filename="billing-history.csv")
