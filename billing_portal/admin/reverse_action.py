"""What staff may do to an adjustment: take it back, once."""

from typing import Any, cast
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action

from accounts.models import User
from accounts.money import format_usd
from accounts.staff_limits import adjustment_limit
from billing_portal.admin.account_actions import rehearse
from billing_portal.admin.approval_pages import tell_that_it_waits
from billing_portal.admin.confirmed import ReasonField
from billing_portal.admin.plan_actions import ReasonForm
from wallet import adjustments, approvals
from wallet.models import Adjustment


class ReverseForm(ReasonForm):
    """Why it is taken back. `request_key` names the form."""

    reason = ReasonField(
        help_text="Shown to the customer in the wallet statement, and kept in the audit trail."
    )
    request_key = forms.UUIDField(widget=forms.HiddenInput, required=False)


class ReverseActionMixin:
    """The button above an adjustment, and the page behind it."""

    actions_detail = ("reverse_adjustment",)

    def has_reverse_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may take adjustments back."""
        return cast(User, request.user).has_perm("wallet.reverse_adjustment")

    @action(description="Reverse", url_path="reverse", permissions=["reverse"], icon="undo")
    def reverse_adjustment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what it does, ask why, and do it once, or ask for approval."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        adjustment = self.get_object(request, object_id)  # type: ignore[attr-defined]
        if adjustment is None:
            raise Http404("No such adjustment.")
        form = ReverseForm(request.POST or None, initial={"request_key": uuid4()})
        if request.method == "POST" and form.is_valid():
            try:
                return self._reverse(request, adjustment, form)
            except ValidationError as error:
                form.add_error(None, " ".join(error.messages))
        return self._reverse_page(request, adjustment, form)

    def _reverse(
        self, request: HttpRequest, adjustment: Adjustment, form: ReverseForm
    ) -> HttpResponse:
        by, reason = cast(User, request.user), form.cleaned_data["reason"]
        if abs(adjustment.amount) > adjustment_limit(by):
            asked = approvals.ask_for_adjustment(
                account=adjustment.wallet.account,
                amount=-adjustment.amount,
                reason=reason,
                by=by,
                reverses=adjustment,
                request_key=str(form.cleaned_data["request_key"] or uuid4()),
                now=timezone.now(),
            )
            return tell_that_it_waits(request, asked)
        entry = adjustments.reverse(adjustment=adjustment, reason=reason, by=by, now=timezone.now())
        messages.success(
            request, f"It is taken back. The balance is now {format_usd(entry.balance_after)}."
        )
        return HttpResponseRedirect(_page_of(adjustment))

    def _reverse_page(
        self, request: HttpRequest, adjustment: Adjustment, form: ReverseForm
    ) -> TemplateResponse:
        account = adjustment.wallet.account
        refusal = adjustments.why_not_reversed(adjustment)
        waits = abs(adjustment.amount) > adjustment_limit(cast(User, request.user))
        effect = rehearse(account=account, amount=-adjustment.amount, reason="Rehearsal")
        facts: list[tuple[str, Any]] = [
            ("Adjustment", f"{format_usd(adjustment.amount)}: {adjustment.reason}"),
            ("Account", account),
            ("Balance", f"{effect.balance_before} → {effect.balance_after}"),
            ("Services", effect.services),
        ]
        warnings = [effect.refill] if effect.refill else []
        if waits:
            warnings.append(
                "This is beyond what you adjust alone. Nothing happens until a colleague has "
                "approved it."
            )
        site = self.admin_site  # type: ignore[attr-defined]
        return TemplateResponse(
            request,
            "admin/preview.html",
            {
                **site.each_context(request),
                "title": f"Reverse: {adjustment}",
                "heading": "Reverse an adjustment",
                "opts": Adjustment._meta,
                "original": adjustment,
                "back_url": _page_of(adjustment),
                "form": form,
                "facts": facts,
                "refusal": refusal,
                "warning": " ".join(warnings),
                "button": "Ask for approval" if waits else "Reverse",
            },
        )


def _page_of(adjustment: Adjustment) -> str:
    return reverse("admin:wallet_adjustment_change", args=[adjustment.pk])
