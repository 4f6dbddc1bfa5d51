"""What staff may do to an account's plan: change it or start one, cancel it, keep it after all.

Each asks for a reason and shows what it comes to before anything happens: a change the same exact
quote that the customer would see, charged to the same default card.
"""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import Account, User
from billing_portal.admin.account_actions import AccountActionsMixin, account_id
from billing_portal.admin.account_offers import standing_of
from billing_portal.admin.confirmed import Confirmation, ReasonForm, confirm
from billing_portal.dashboard.plan_page import day_of
from billing_portal.dashboard.plan_quote_page import build_quote_page
from invoices.models import Status
from plans import cancellation, plan_changes, plan_quotes, subscriptions
from plans.models import Plan, PlanVersion, SubscriptionStatus
from plans.plan_changes import Agreed
from plans.plan_quotes import Kind, Quote


class ChangePlanForm(ReasonForm):
    """Which plan, and why. `quote` is what was shown, once it was."""

    plan = forms.ModelChoiceField(
        queryset=Plan.objects.filter(archived_at=None, versions__published_at__isnull=False)
        .distinct()
        .order_by("position", "slug"),
        widget=UnfoldAdminSelectWidget,
    )
    quote = forms.CharField(widget=forms.HiddenInput, required=False)

    field_order = ("plan", "reason")

    def clean_plan(self) -> PlanVersion:
        """Return the version that is sold now."""
        version = subscriptions.latest_version(plan=self.cleaned_data["plan"])
        if version is None:
            raise ValidationError("This plan is not sold yet.")
        return version


class PlanActionsMixin(AccountActionsMixin):
    """The buttons about the plan above an account, and the pages behind them."""

    actions_detail = (
        *AccountActionsMixin.actions_detail,
        "change_plan",
        "cancel_plan",
        "keep_plan",
    )

    # A method, for the reason given at has_adjust_credit_permission.
    def has_change_plan_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may change a subscription."""
        return cast(User, request.user).has_perm("plans.change_subscription")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer to cancel what is in force, and to keep what is canceled or about to change."""
        offered = super().get_actions_detail(request, object_id)
        standing = standing_of(request, account_id(object_id))
        waits = standing.is_ending or standing.is_changing
        hidden = {"accounts_account_keep_plan"} if not waits else set()
        if standing.is_ending or not standing.is_subscribed:
            hidden.add("accounts_account_cancel_plan")
        return [one for one in offered if one.action_name not in hidden]

    @action(
        description="Change plan",
        url_path="change-plan",
        permissions=["change_plan"],
        icon="swap_horiz",
    )
    def change_plan(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask which plan and why, show exactly what it comes to, and do that."""
        account = self._account(request, object_id)
        form = ChangePlanForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return self._plan_page(request, account, form)
        version: PlanVersion = form.cleaned_data["plan"]
        now, by = timezone.now(), cast(User, request.user)
        try:
            if "_apply" not in request.POST:
                plan_quotes.check_may_change(account=account, plan_version=version, now=now)
                quote = plan_quotes.quote(account=account, plan_version=version, at=now)
                return self._plan_page(request, account, form, quote)
            agreed = plan_changes.agree(
                account=account,
                plan_version=version,
                sealed=form.cleaned_data["quote"],
                by=by,
                now=now,
                reason=form.cleaned_data["reason"],
            )
        except ValidationError as error:
            form.add_error(None, error)
            return self._plan_page(request, account, form)
        self._say_what_came_of_it(request, account, agreed)
        return self._back_to(account)

    @action(
        description="Cancel plan",
        url_path="cancel-plan",
        permissions=["change_plan"],
        icon="event_busy",
    )
    def cancel_plan(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let the plan end with its period; at once while it is past due."""
        account = self._account(request, object_id)
        current = subscriptions.current(account=account)
        if current is None:
            raise PermissionDenied("There is no plan to cancel.")
        name = current.plan_version.plan.name
        if current.status == SubscriptionStatus.PAST_DUE:
            effect = f"{name} is past due: it ends at once, and what is unpaid is void."
        else:
            effect = f"{name} ends on {day_of(current.current_period_end, account)}."
        effect += " Rentals and Auto-Refill end with it, the credit stays. The customer is told."
        return self._with_reason(request, account, "Cancel plan", effect, danger=True)

    @action(
        description="Keep plan",
        url_path="keep-plan",
        permissions=["change_plan"],
        icon="undo",
    )
    def keep_plan(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Undo what waits for the end of the period."""
        account = self._account(request, object_id)
        effect = "A cancellation or a change that waits for the end of the period is taken back."
        return self._with_reason(request, account, "Keep plan", effect)

    def _with_reason(
        self,
        request: HttpRequest,
        account: Account,
        title: str,
        effect: str,
        *,
        danger: bool = False,
    ) -> HttpResponse:
        act = _cancel if danger else _keep
        confirmation = Confirmation(
            title=title,
            effect=effect,
            act=lambda by, wish: act(account, by, wish["reason"]),
            danger=danger,
        )
        return confirm(request, confirmation, site=self.admin_site, target=account)  # type: ignore[attr-defined]

    def _say_what_came_of_it(self, request: HttpRequest, account: Account, agreed: Agreed) -> None:
        name, transaction = agreed.quote.plan_version.plan.name, agreed.transaction
        if agreed.quote.kind == Kind.DOWNGRADE:
            day = day_of(agreed.quote.next_renewal_at, account)
            messages.success(request, f"The plan changes to {name} on {day}.")
        elif transaction is None or transaction.status == Status.PAID:
            messages.success(request, f"The account is on {name} now.")
        elif transaction.status == Status.FAILED:
            messages.error(request, f"The card was declined. {transaction.failure_message}")
        else:
            messages.warning(request, f"{transaction} has no answer yet. {name} begins once paid.")

    def _plan_page(
        self,
        request: HttpRequest,
        account: Account,
        form: ChangePlanForm,
        quote: Quote | None = None,
    ) -> HttpResponse:
        current = subscriptions.current(account=account)
        shown = build_quote_page(account=account, quote=quote) if quote else None
        context = {
            "form": form,
            "quote": shown,
            "charges": [each for each in (shown.now, shown.later) if each] if shown else [],
            "chosen": form.data.get("plan"),
            "current": str(current.plan_version) if current else "None",
        }
        return self._page(request, account, "Change plan", "admin/change_plan.html", context)


def _cancel(account: Account, by: User, reason: str) -> str:
    """Cancel the plan; return what to say."""
    now = timezone.now()
    subscription = cancellation.cancel(account=account, by=by, now=now, reason=reason)
    ends = subscription.ended_at or subscription.current_period_end
    verb = "ended" if subscription.ended_at else "ends"
    return f"Canceled: {subscription.plan_version.plan.name} {verb} on {day_of(ends, account)}."


def _keep(account: Account, by: User, reason: str) -> str:
    """Take back what waits; return what to say."""
    now = timezone.now()
    current = subscriptions.current(account=account)
    if current is not None and current.cancel_at_period_end:
        cancellation.keep(account=account, by=by, now=now, reason=reason)
    elif plan_changes.take_back(account=account, by=by, now=now, reason=reason) is None:
        raise ValidationError("There is nothing to take back.")
    return "The plan is kept."
