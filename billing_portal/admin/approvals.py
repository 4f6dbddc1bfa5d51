"""What staff ask each other to approve: the list, waiting first, and the page to decide on one."""

from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Case, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action
from unfold.enums import ActionVariant

from accounts.models import User
from accounts.money import format_usd
from billing_portal.admin import cells
from billing_portal.admin.account_actions import rehearse
from billing_portal.admin.approval_pages import page_of
from billing_portal.admin.base import ReadOnlyAdmin
from billing_portal.admin.confirmed import ReasonField
from billing_portal.admin.filters import MyDecisionFilter, RangeDateTimeFilter
from billing_portal.admin.plan_actions import ReasonForm
from billing_portal.admin.refund_action import effect_of
from invoices.models import RefundStatus
from wallet import adjustments, approvals
from wallet.models import ApprovalRequest, ApprovalState, Wallet


class DecisionForm(ReasonForm):
    """Why it is decided so."""

    reason = ReasonField(
        help_text="For your colleagues: kept with the request and in the audit trail."
    )


def facts_of(asked: ApprovalRequest) -> list[tuple[str, Any]]:
    """Return what is asked for and what it would bring about now. Raises ValidationError."""
    left = "" if asked.requested_by.is_active else " (who has left)"
    facts: list[tuple[str, Any]] = [
        ("What", f"{asked.get_kind_display()} of {format_usd(asked.amount)}"),
        ("Account", cells.link(asked.account)),
        ("Asked for by", f"{asked.requested_by}{left}, {cells.when(asked.requested_at)} UTC"),
        ("Why", asked.reason),
    ]
    if asked.transaction is not None:
        effect = effect_of(asked.transaction, asked.amount)
        facts += [
            ("Of payment", cells.link(asked.transaction)),
            ("To the card", effect.charged),
            ("Left to refund afterwards", effect.left_after),
            ("Credit that leaves the wallet", effect.credit or "None"),
            ("Balance", f"{effect.balance_before} → {effect.balance_after}"),
            ("Services", effect.services),
            *_refill(effect.refill),
        ]
        return facts
    if asked.reverses is not None and (refusal := adjustments.why_not_reversed(asked.reverses)):
        raise ValidationError(refusal)
    moved = rehearse(account=asked.account, amount=asked.amount, reason=asked.reason)
    return [
        *facts,
        *([("Takes back", cells.link(asked.reverses))] if asked.reverses else []),
        ("Balance", f"{moved.balance_before} → {moved.balance_after}"),
        ("Services", moved.services),
        *_refill(moved.refill),
    ]


def _refill(words: str) -> list[tuple[str, Any]]:
    """What Auto-Refill would do then, where it would."""
    return [("Auto-Refill", words)] if words else []


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnlyAdmin):
    """Nothing of it is edited; it is approved, declined or withdrawn."""

    actions_detail = ("approve", "decline", "withdraw")
    dollars = ("amount", "limit_at_request")
    list_display = (
        cells.time_column("requested_at", "Asked"),
        cells.status_column("state", "State"),
        "kind",
        cells.account_column(),
        cells.balance_column("amount", "Amount"),
        "reason",
        "requested_by",
        "decided_by",
    )
    list_select_related = ("account", "requested_by", "decided_by")
    list_filter = (
        MyDecisionFilter,
        "state",
        "kind",
        ("requested_at", RangeDateTimeFilter),
        ("account", AutocompleteSelectFilter),
    )
    search_fields = ("reason", "account__name", "requested_by__email")
    search_help_text = "Reason, company or who asked"
    fieldsets = (
        (
            "Asked for",
            {
                "fields": (
                    ("kind", cells.status_column("state", "State")),
                    (cells.account_column(), "amount"),
                    "reason",
                    ("requested_by", "requested_at"),
                    ("limit_at_request", "expires_at"),
                    (
                        cells.column("transaction", "Payment", cells.link),
                        cells.column("reverses", "Takes back", cells.link),
                    ),
                )
            },
        ),
        ("The account now", {"fields": (("balance_now", "services_now"),)}),
        (
            "Decided",
            {
                "fields": (
                    ("decided_by", "decided_at"),
                    "decision_reason",
                    "failure_message",
                    (
                        cells.column("adjustment", "Adjustment", cells.link),
                        cells.column("refund", "Refund", cells.link),
                    ),
                )
            },
        ),
    )
    readonly_fields = ("balance_now", "services_now")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApprovalRequest]:
        """Load what the page links to; what waits comes first."""
        asked: QuerySet[ApprovalRequest] = super().get_queryset(request)
        return asked.select_related(
            "account",
            "requested_by",
            "decided_by",
            "transaction",
            "reverses__wallet__account",
            "adjustment",
            "refund",
        )

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        """Waiting first, then the newest."""
        waiting_first = Case(When(state=ApprovalState.REQUESTED, then=Value(0)), default=Value(1))
        return (waiting_first.asc(), "-requested_at", "-pk")

    @admin.display(description="Balance")
    def balance_now(self, asked: ApprovalRequest) -> cells.Cell:
        """The balance."""
        wallet = Wallet.objects.filter(account=asked.account_id).first()
        return cells.usd(wallet.balance if wallet else None)

    @admin.display(description="Services")
    def services_now(self, asked: ApprovalRequest) -> cells.Cell:
        """Whether services run."""
        return cells.status_badge(asked.account.services, asked.account.services.title())

    def has_decide_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may decide on what colleagues ask for."""
        return cast(User, request.user).has_perm(approvals.PERMISSION)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer to decide to who may, and to withdraw to who asked."""
        asked = self.get_object(request, object_id)
        if asked is None or asked.state != ApprovalState.REQUESTED:
            return []
        user = cast(User, request.user)
        own = asked.requested_by_id == user.pk
        decides = not approvals.why_not(request=asked, by=user, now=timezone.now())
        hidden = set() if own else {"wallet_approvalrequest_withdraw"}
        if not decides:
            hidden |= {"wallet_approvalrequest_approve", "wallet_approvalrequest_decline"}
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if one.action_name not in hidden]

    @action(
        description="Approve",
        url_path="approve",
        permissions=["decide"],
        icon="check",
        variant=ActionVariant.PRIMARY,
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what it would do now, ask why, and do it."""
        asked = self._asked(request, object_id)
        form = DecisionForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return self._decision_page(request, asked, form, "Approve", with_effect=True)
        try:
            done = approvals.approve(request_id=asked.pk, now=timezone.now(), **_by(request, form))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return HttpResponseRedirect(page_of(asked))
        if done.state == ApprovalState.FAILED:
            messages.error(request, f"Nothing was refunded: {done.failure_message}")
        elif done.refund is not None and done.refund.status == RefundStatus.PENDING:
            messages.warning(request, "Stripe has not answered yet. The refund goes on by itself.")
        else:
            messages.success(request, "It is approved and done.")
        return HttpResponseRedirect(page_of(asked))

    @action(
        description="Decline",
        url_path="decline",
        permissions=["decide"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, and refuse it."""
        asked = self._asked(request, object_id)
        form = DecisionForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return self._decision_page(request, asked, form, "Decline", danger=True)
        try:
            approvals.decline(request_id=asked.pk, now=timezone.now(), **_by(request, form))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, "It is declined. Who asked is told why.")
        return HttpResponseRedirect(page_of(asked))

    @action(description="Withdraw", url_path="withdraw", permissions=["view"], icon="undo")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, and take back what one asked for."""
        asked = self._asked(request, object_id)
        form = DecisionForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return self._decision_page(request, asked, form, "Withdraw", own=True)
        try:
            approvals.withdraw(request_id=asked.pk, now=timezone.now(), **_by(request, form))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, "It is withdrawn.")
        return HttpResponseRedirect(page_of(asked))

    def _asked(self, request: HttpRequest, object_id: str) -> ApprovalRequest:
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked: ApprovalRequest | None = self.get_object(request, object_id)
        if asked is None:
            raise Http404("No such request.")
        return asked

    def _decision_page(
        self,
        request: HttpRequest,
        asked: ApprovalRequest,
        form: DecisionForm,
        button: str,
        *,
        danger: bool = False,
        own: bool = False,
        with_effect: bool = False,
    ) -> TemplateResponse:
        refusal, warning, facts = "", "", []
        if own:
            if asked.requested_by_id != request.user.pk:
                refusal = "Only who asked for it withdraws it."
        else:
            refusal = approvals.why_not(
                request=asked, by=cast(User, request.user), now=timezone.now()
            )
        if with_effect and not refusal:
            try:
                facts = facts_of(asked)
            except ValidationError as error:
                why = " ".join(error.messages)
                warning = f"{why} Approving it can't do it any more: the request would fail."
        return TemplateResponse(
            request,
            "admin/preview.html",
            {
                **self.admin_site.each_context(request),
                "title": f"{button}: {asked}",
                "heading": f"{button}: {asked.get_kind_display()} of {format_usd(asked.amount)}",
                "opts": ApprovalRequest._meta,
                "original": asked,
                "back_url": page_of(asked),
                "form": form,
                "facts": facts,
                "refusal": refusal,
                "warning": warning,
                "button": button,
                "danger": danger,
            },
        )


def _by(request: HttpRequest, form: DecisionForm) -> dict[str, Any]:
    return {"by": cast(User, request.user), "reason": form.cleaned_data["reason"]}
