"""Banners: only when something needs doing, most urgent first, each with what to do about it."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse

from accounts.models import PauseReason
from accounts.money import CENT, format_usd, round_up_to_cents
from billing_portal.dashboard.overview_state import OverviewState
from billing_portal.dashboard.rows import expires_soon, label_of
from billing_portal.dashboard.times import moment, write_day
from invoices.models import Purpose, Status
from plans.models import SubscriptionStatus
from wallet.models import AutoRefill
from wallet.refills import FAILURES_UNTIL_SUSPENDED

#: A failed payment is news for so long.
FAILURE_IS_NEWS = timedelta(days=7)


@dataclass(frozen=True)
class Banner:
    """Something that needs doing."""

    tone: str
    title: str
    text: str
    action: str = ""
    action_href: str = ""
    is_post: bool = False
    busy: str = "Paying…"


def build_banners(state: OverviewState) -> tuple[Banner, ...]:
    """Say what needs doing; to those who may not do it, without the link."""
    found = [
        *_to_confirm(state),
        *_paused(state),
        *_past_due(state),
        *_waiting_to_begin(state),
        *_leaving(state),
        *_refill(state),
        *_card(state),
        *_failed_payment(state),
    ]
    if state.may_act:
        return tuple(found)
    return tuple(Banner(tone=b.tone, title=b.title, text=b.text) for b in found)


def _paused(state: OverviewState) -> list[Banner]:
    banners = []
    reasons = state.account.pause_reasons
    if PauseReason.LOCKED in reasons:
        email = settings.SELLER["email"]
        banners.append(
            Banner(
                "bad",
                "Services are paused by our support.",
                f"New calls are refused. Write to {email} and we will sort it out.",
                "Write to support",
                f"mailto:{email}",
            )
        )
    if PauseReason.NEGATIVE_BALANCE in reasons:
        banners.append(
            Banner(
                "bad",
                "Services are paused.",
                f"The balance is {_unbroken(state.balance)} and new calls are refused. "
                "They resume by themselves as soon as the balance is above zero.",
                "Add credit",
                f"{reverse('top-up')}?{urlencode({'amount': _to_resume(state)})}",
            )
        )
    elif state.balance < 0:
        banners.append(
            Banner(
                "warn",
                "The balance is below zero.",
                f"It is {_unbroken(state.balance)}. Add credit to keep services running.",
                "Add credit",
                reverse("top-up"),
            )
        )
    if PauseReason.SUBSCRIPTION_UNPAID in reasons:
        banners.append(
            Banner(
                "bad",
                "Services are paused: the plan is unpaid.",
                f"They resume when the renewal is paid.{_reason(state)} "
                "If the card no longer works, add another one first.",
                *_pay(state),
            )
        )
    return banners


def _to_confirm(state: OverviewState) -> list[Banner]:
    transaction = state.to_confirm
    if transaction is None:
        return []
    return [
        Banner(
            "warn",
            f"A payment of {format_usd(transaction.amount.amount)} waits for your confirmation.",
            "Your bank wants to know that it is you who pays. Nothing was charged so far.",
            "Confirm payment",
            reverse("payment-confirm", args=[transaction.number]),
        )
    ]


def _unbroken(amount: Decimal) -> str:
    """Write dollars so that no line ends between the sign and the figure."""
    return format_usd(amount).replace("$", "\N{WORD JOINER}$")


def _to_resume(state: OverviewState) -> str:
    """The least amount that lifts the balance above zero, and that the plan accepts."""
    needed = round_up_to_cents(-state.balance) + CENT
    if state.plan_version:
        needed = max(needed, state.plan_version.minimum_top_up.amount)
    return f"{needed:.2f}"


def _past_due(state: OverviewState) -> list[Banner]:
    if not state.is_past_due or PauseReason.SUBSCRIPTION_UNPAID in state.account.pause_reasons:
        return []
    retry = state.unpaid.next_attempt_at if state.unpaid else None
    again = (
        f" We try again on {write_day(retry.astimezone(state.account.timezone).date())}."
        if retry
        else ""
    )
    return [
        Banner(
            "bad",
            "Your plan's renewal failed.",
            f"{_reason(state)}{again} Services pause after 7 days unpaid.".strip(),
            *_pay(state),
        )
    ]


def _reason(state: OverviewState) -> str:
    last = state.last_renewal
    is_failed = last is not None and last.status == Status.FAILED
    return f" {last.failure_message}" if last and is_failed and last.failure_message else ""


def _pay(state: OverviewState) -> tuple[str, str, bool]:
    """Pay now when there is a card to charge, else add one."""
    if state.default_card is None:
        return "Add Payment Method", reverse("payment-method-add"), False
    return "Pay now", reverse("renewal-pay-now"), True


def _waiting_to_begin(state: OverviewState) -> list[Banner]:
    subscription = state.subscription
    if subscription is None and state.ended is not None:
        text = "No calls are accepted. Choose a plan to go on; the credit is still there."
        title = f"{state.ended.plan_version.plan.name} has ended."
        return [Banner("warn", title, text, "Choose a plan", reverse("plan"))]
    if subscription is None:
        text = "Calls can be made once a plan says what they cost."
        return [Banner("info", "Choose a plan to begin.", text, "See plans", reverse("plan"))]
    if subscription.status != SubscriptionStatus.INACTIVE:
        return []
    plan = subscription.plan_version.plan
    return [
        Banner(
            "warn",
            f"{plan.name} has not started yet.",
            "It starts when its first month is paid.",
            "Pay for the plan",
            reverse("choose-plan", args=[plan.slug]),
        )
    ]


def _leaving(state: OverviewState) -> list[Banner]:
    """A cancellation or a change that waits for the period's end, and how to take it back."""
    subscription, change = state.subscription, state.plan_change
    if subscription is None or subscription.current_period_end is None:
        return []
    name = subscription.plan_version.plan.name
    day = write_day(subscription.current_period_end.astimezone(state.account.timezone).date())
    if subscription.cancel_at_period_end:
        title = f"{name} ends on {day}."
        text = "It works until then; afterwards no calls are accepted."
    elif change is not None:
        title = f"Your plan changes to {change.to_version.plan.name} on {day}."
        text = f"Until then it is {name}."
    else:
        return []
    return [
        Banner(
            "info", title, text, f"Keep {name}", reverse("plan-keep"), is_post=True, busy="Keeping…"
        )
    ]


def _refill(state: OverviewState) -> list[Banner]:
    refill = state.auto_refill
    if refill is None or not refill.enabled:
        return []
    if refill.suspended_at is None:
        return _capped(state, refill)
    last = state.last_refill
    why = "A payment is disputed at your bank."
    if refill.consecutive_failures >= FAILURES_UNTIL_SUSPENDED:
        reason = f" Last answer: {last.failure_message}" if last and last.failure_message else ""
        why = f"Its last {refill.consecutive_failures} charges failed.{reason}"
    return [
        Banner(
            "bad",
            "Auto-Refill is suspended.",
            f"{why} Use another card or switch it on again.",
            "Payment Methods",
            reverse("payment-methods"),
        )
    ]


def _capped(state: OverviewState, refill: AutoRefill) -> list[Banner]:
    """A cap holds back what the customer counts on."""
    if refill.capped_until is None or refill.capped_until <= state.now:
        return []
    if state.balance >= refill.threshold.amount:
        return []
    at = moment(refill.capped_until, state.account.timezone)
    return [
        Banner(
            "warn",
            "Auto-Refill reached its limit.",
            f"It goes on by itself on {at.short}. Until then, add credit by hand.",
            "Add credit",
            reverse("top-up"),
        )
    ]


def _card(state: OverviewState) -> list[Banner]:
    card = state.default_card
    if state.lacks_card:
        return [
            Banner(
                "bad",
                "There is no card to charge.",
                "Your plan or Auto-Refill needs one: add it before the next charge.",
                "Add Payment Method",
                reverse("payment-method-add"),
            )
        ]
    today = state.now.astimezone(state.account.timezone).date()
    if card is None or not expires_soon(card, today=today):
        return []
    verb = "has expired" if card.has_expired(today=today) else "expires soon"
    return [
        Banner(
            "warn",
            f"{label_of(card).spoken} {verb}.",
            "Add another card so that renewals and Auto-Refill do not fail.",
            "Add Payment Method",
            reverse("payment-method-add"),
        )
    ]


def _failed_payment(state: OverviewState) -> list[Banner]:
    """The newest payment failed, and no other banner says so."""
    newest = state.recent[0] if state.recent else None
    if newest is None or newest.status != Status.FAILED or newest == state.to_confirm:
        return []
    if newest.failed_at and state.now - newest.failed_at > FAILURE_IS_NEWS:
        return []
    said_elsewhere = {Purpose.RENEWAL} if state.is_past_due else set()
    refill = state.auto_refill
    if refill and refill.suspended_at:
        said_elsewhere.add(Purpose.AUTO_REFILL)
    if newest.purpose in said_elsewhere:
        return []
    return [
        Banner(
            "warn",
            f"The last payment of {format_usd(newest.amount.amount)} failed.",
            newest.failure_message or "It was not completed.",
            "See the payment",
            reverse("billing-history-detail", args=[newest.number]),
        )
    ]
