"""What staff may do for an account: note something, give it time, begin its allowances anew."""

from datetime import UTC, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSingleDateWidget

from accounts import staff_notes
from accounts.models import Account, AuditEvent, User
from accounts.money import format_quantity
from billing_portal.admin.account_actions import account_id
from billing_portal.admin.account_offers import standing_of
from billing_portal.admin.cells import when
from billing_portal.admin.confirmed import Confirmation, ReasonForm, confirm, refused
from billing_portal.admin.plan_actions import PlanActionsMixin
from plans import allowances, grace, past_due, subscriptions, usage_cycle
from plans.models import Allowance, RenewalStatus, SubscriptionStatus


class NoteForm(ReasonForm):
    """What colleagues should know."""

    reason = forms.CharField(
        label="Note",
        min_length=3,
        max_length=staff_notes.LONGEST_NOTE,
        widget=ReasonForm.base_fields["reason"].widget,
        error_messages={"required": "Write what your colleagues should know."},
        help_text="Kept in the account's history; the customer does not see it.",
    )


class GraceForm(ReasonForm):
    """Until when services go on, and why."""

    until = forms.DateField(
        label="Until the end of (UTC)", widget=UnfoldAdminSingleDateWidget, required=True
    )

    field_order = ("until", "reason")


class CareActionsMixin(PlanActionsMixin):
    """The buttons above an account, and the pages behind them."""

    actions_detail = (
        *PlanActionsMixin.actions_detail,
        "extend_grace",
        "reset_usage_cycle",
        "add_note",
    )

    # Methods, for the reason given at has_adjust_credit_permission.
    def has_add_note_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may note something."""
        return cast(User, request.user).has_perm("accounts.add_note")

    def has_extend_grace_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may give time."""
        return cast(User, request.user).has_perm("plans.extend_grace")

    def has_reset_usage_cycle_permission(
        self, request: HttpRequest, object_id: object = None
    ) -> bool:
        """Whoever may give back what a period includes."""
        return cast(User, request.user).has_perm("plans.reset_usage_cycle")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer to give time where something is unpaid, and quotas back where there are some."""
        offered = super().get_actions_detail(request, object_id)
        standing = standing_of(request, account_id(object_id))
        hidden = set()
        if not standing.is_past_due:
            hidden.add("accounts_account_extend_grace")
        if not standing.is_subscribed:
            hidden.add("accounts_account_reset_usage_cycle")
        return [one for one in offered if one.action_name not in hidden]

    @action(description="Add note", url_path="note", permissions=["add_note"], icon="edit_note")
    def add_note(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Keep what colleagues should know."""
        account = self._account(request, object_id)
        notes = AuditEvent.objects.filter(account=account, action=staff_notes.NOTE_ADDED)
        confirmation = Confirmation(
            title="Add note",
            effect="It stands in the account's history for all colleagues, with your name.",
            act=lambda by, wish: _note(account, by, wish["reason"]),
            form_class=NoteForm,
            seen=str(notes.order_by("-pk").values_list("pk", flat=True).first()),
        )
        return confirm(request, confirmation, site=self.admin_site, target=account)  # type: ignore[attr-defined]

    @action(
        description="Extend grace",
        url_path="extend-grace",
        permissions=["extend_grace"],
        icon="more_time",
    )
    def extend_grace(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let services go on until a day, although the renewal is unpaid."""
        account = self._account(request, object_id)
        current = subscriptions.current(account=account)
        if current is None or current.status != SubscriptionStatus.PAST_DUE:
            nothing = ValidationError("Nothing is unpaid: there is no grace to extend.")
            return refused(request, nothing, self._back_to(account).url)
        pauses_at = past_due.pauses_at(current)
        is_paused = "subscription_unpaid" in account.pause_reasons
        longest = (timezone.now() + grace.LONGEST - timedelta(days=1)).date()
        confirmation = Confirmation(
            title="Extend grace",
            effect=(
                ("Services resume at once, and go on" if is_paused else "Services go on")
                + f" until the end of the day that you choose, at most {longest:%Y-%m-%d}, instead "
                f"of {when(pauses_at)} UTC. What is owed stays owed, and the card is charged again "
                "as before."
            ),
            act=lambda by, wish: _extend(account, by, wish),
            form_class=GraceForm,
            seen=str(pauses_at),
        )
        return confirm(request, confirmation, site=self.admin_site, target=account)  # type: ignore[attr-defined]

    @action(
        description="Reset usage cycle",
        url_path="reset-usage-cycle",
        permissions=["reset_usage_cycle"],
        icon="restart_alt",
    )
    def reset_usage_cycle(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give back what the plan includes for the period under way."""
        account = self._account(request, object_id)
        confirmation = Confirmation(
            title="Reset usage cycle",
            effect=_what_reset_does(account),
            act=lambda by, wish: _reset(account, by, wish["reason"]),
            seen=str(_newest_reset(account)),
        )
        return confirm(request, confirmation, site=self.admin_site, target=account)  # type: ignore[attr-defined]


def _end_of(day: Any) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC) + timedelta(days=1)


def _note(account: Account, by: User, text: str) -> str:
    """Keep it; return what to say."""
    staff_notes.add(account=account, text=text, by=by, now=timezone.now())
    return "The note is in the account's history."


def _extend(account: Account, by: User, wish: dict[str, Any]) -> str:
    """Give the time; return what to say."""
    until = _end_of(wish["until"])
    grace.extend(account=account, until=until, by=by, reason=wish["reason"], now=timezone.now())
    return f"Services go on until {when(until)} UTC."


def _newest_reset(account: Account) -> int | None:
    resets = AuditEvent.objects.filter(account=account, action="usage_cycle_reset")
    return resets.order_by("-pk").values_list("pk", flat=True).first()


def _what_reset_does(account: Account) -> str:
    """Say what is left now; all that the plan includes is left afterwards."""
    used = Allowance.objects.filter(
        account=account,
        renewal__subscription__in=account.subscriptions.filter(
            status__in=subscriptions.CURRENT_STATUSES
        ),
        renewal__status=RenewalStatus.PAID,
        renewal__period_end__gt=timezone.now(),
        renewal__period_start__lte=timezone.now(),
        used__gt=0,
    ).select_related("feature")
    left = ", ".join(
        f"{each.feature.name}: {format_quantity(allowances.remaining(each))} left of "
        f"{format_quantity(each.included)}"
        for each in used.order_by("feature__position")
    )
    return (
        "All that the plan includes for the period under way is left again, on the same renewal "
        f"date. Now: {left or 'nothing of it was used'}. What was billed beyond it stays billed: "
        "adjust the credit for that."
    )


def _reset(account: Account, by: User, reason: str) -> str:
    """Begin the allowances anew; return what to say."""
    restored = usage_cycle.reset(account=account, by=by, reason=reason, now=timezone.now())
    left = ", ".join(f"{each.feature} {format_quantity(each.left_after)}" for each in restored)
    return f"Left again: {left}."
