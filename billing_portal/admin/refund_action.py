"""What staff may do to a transaction: refund it to its card, in full or in part.

Its page asks how much and why, and shows the effect before anything happens.
"""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from accounts.models import User
from accounts.money import format_omr, format_usd
from accounts.staff_limits import refund_limit
from billing_portal.admin.account_actions import refill_that_follows
from billing_portal.admin.approval_pages import tell_that_it_waits
from billing_portal.admin.confirmed import ReasonField
from invoices import refunds
from invoices.models import RefundStatus, Transaction
from wallet import approvals, reversals
from wallet.models import Wallet


class RefundForm(forms.Form):
    """How much goes back, and why.

    `request_key` names the form: one confirmation, however often it is sent, is one refund.
    """

    amount = forms.DecimalField(
        label="Amount (USD)",
        max_digits=12,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "0.01", "inputmode": "decimal"}),
    )
    reason = ReasonField(
        help_text="For your colleagues: kept with the refund and in the audit trail."
    )
    request_key = forms.UUIDField(widget=forms.HiddenInput, required=False)


@dataclass(frozen=True)
class RefundEffect:
    """What a refund would bring about, written out."""

    amount: str
    tax: str
    charged: str
    left_after: str
    credit: str
    balance_before: str
    balance_after: str
    services: str
    refill: str


def effect_of(transaction: Transaction, amount: Decimal) -> RefundEffect:
    """Return what refunding `amount` USD would bring about. Raises the service's ValidationError.

    Usage goes on meanwhile: the balances are those of this moment.
    """
    asked = refunds.quote(transaction=transaction, amount=amount)
    credit = reversals.credit_taken_by(transaction=transaction, net=asked.amount - asked.tax)
    wallet = Wallet.objects.filter(account_id=transaction.account_id).first()
    before = wallet.balance if wallet else Decimal(0)
    after = before - credit
    pauses = credit > 0 and after < 0 and transaction.account.services == "active"
    return RefundEffect(
        amount=format_usd(asked.amount),
        tax=format_usd(asked.tax) if asked.tax else "",
        charged=format_omr(asked.charged_amount.amount),
        left_after=format_usd(asked.left_after),
        credit=format_usd(credit) if credit else "",
        balance_before=format_usd(before),
        balance_after=format_usd(after),
        services="active → paused" if pauses else f"stay {transaction.account.services}",
        refill=refill_that_follows(wallet, after) if credit else "",
    )


def alone(user: User) -> Decimal:
    """Return up to what (USD) somebody refunds without asking anybody."""
    return refund_limit(user) if user.has_perm("invoices.add_refund") else Decimal(0)


class RefundActionMixin:
    """The button above a transaction, and the page behind it."""

    actions_detail: tuple[str, ...] = ("refund",)

    def has_refund_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may refund, or ask a colleague to approve it."""
        user = cast(User, request.user)
        return user.has_perm("invoices.add_refund") or user.has_perm("wallet.ask_for_refund")

    @action(
        description="Refund",
        url_path="refund",
        permissions=["refund"],
        icon="undo",
        variant=ActionVariant.PRIMARY,
    )
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how much and why, show what it does, and do it once."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        transaction = self._transaction(object_id)
        if request.method != "POST":
            left = refunds.amount_left(transaction)
            return self._refund_page(request, transaction, RefundForm(initial={"amount": left}))
        form = RefundForm(request.POST)
        if not form.is_valid():
            return self._refund_page(request, transaction, form)
        key = form.cleaned_data["request_key"]
        amount, reason = form.cleaned_data["amount"], form.cleaned_data["reason"]
        by = cast(User, request.user)
        try:
            if "_apply" not in request.POST or key is None:
                effect = effect_of(transaction, amount)
                return self._refund_page(request, transaction, form, effect)
            if amount > alone(by):
                asked = approvals.ask_for_refund(
                    transaction_id=transaction.pk,
                    amount=amount,
                    reason=reason,
                    by=by,
                    now=timezone.now(),
                    request_key=str(key),
                )
                return tell_that_it_waits(request, asked)
            made = refunds.make_refund(
                transaction_id=transaction.pk,
                amount=amount,
                reason=reason,
                by=by,
                now=timezone.now(),
                request_key=str(key),
            )
        except ValidationError as error:
            form.add_error(None, error)
            return self._refund_page(request, transaction, form)
        if made.status == RefundStatus.FAILED:
            messages.error(request, f"Nothing was refunded: {made.failure_message}")
        elif made.status == RefundStatus.PENDING:
            messages.warning(
                request,
                f"Stripe has not answered yet. Refund {made.number} is pending and goes on by "
                "itself: don't make another one.",
            )
        else:
            messages.success(
                request,
                f"{format_usd(made.amount.amount)} ({format_omr(made.charged_amount.amount)}) "
                f"went back to the card. Credit note {made.credit_note_number}.",
            )
        return HttpResponseRedirect(_page_of(transaction))

    def _transaction(self, object_id: str) -> Transaction:
        # A number with too many digits is no bigint: the database would not take it.
        known = object_id.isdecimal() and len(object_id) < 19
        found = Transaction.objects.select_related("account").filter(pk=object_id if known else 0)
        if (transaction := found.first()) is None:
            raise Http404("No such transaction.")
        return transaction

    def _refund_page(
        self,
        request: HttpRequest,
        transaction: Transaction,
        form: RefundForm,
        effect: RefundEffect | None = None,
    ) -> TemplateResponse:
        limit = alone(cast(User, request.user))
        amount = form.cleaned_data["amount"] if effect else Decimal(0)
        site = self.admin_site  # type: ignore[attr-defined]
        return TemplateResponse(
            request,
            "admin/refund.html",
            {
                **site.each_context(request),
                "title": f"Refund: {transaction}",
                "heading": f"Refund {transaction}",
                "opts": Transaction._meta,
                "original": transaction,
                "back_url": _page_of(transaction),
                "form": form,
                "effect": effect,
                "refusal": refunds.why_not(transaction),
                "left": format_usd(refunds.amount_left(transaction)),
                "request_key": uuid.uuid4(),
                "limit": format_usd(limit),
                "waits": amount > limit,
            },
        )


def _page_of(transaction: Transaction) -> str:
    return reverse("admin:invoices_transaction_change", args=[transaction.pk])
