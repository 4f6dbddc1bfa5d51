"""The plan card of the Overview: what it costs, when it renews, what will be charged."""

from dataclasses import dataclass

from accounts.money import format_usd
from billing_portal.dashboard.overview_state import OverviewState
from billing_portal.dashboard.rows import Fact
from billing_portal.dashboard.times import write_day
from plans.models import Subscription, SubscriptionStatus


@dataclass(frozen=True)
class PlanPanel:
    """The subscription in a few lines."""

    title: str
    badge: str
    badge_tone: str
    price: str
    price_note: str
    text: str
    charge_title: str
    charge_lines: tuple[Fact, ...]
    charge_total: str
    charge_note: str
    pay_now_href: str
    action: str


def build_plan_panel(state: OverviewState) -> PlanPanel:
    """Compose the card; without a plan it says what to do."""
    subscription = state.subscription
    if subscription is None:
        return PlanPanel(
            title="No plan yet",
            badge="",
            badge_tone="",
            price="",
            price_note="",
            text="Choose a plan to start making calls. Pay as you go costs nothing a month.",
            charge_title="",
            charge_lines=(),
            charge_total="",
            charge_note="",
            pay_now_href="",
            action="Choose a plan",
        )
    version = subscription.plan_version
    badge, tone = _badge(subscription)
    return PlanPanel(
        title=f"{version.plan.name} plan",
        badge=badge,
        badge_tone=tone,
        price=format_usd(version.monthly_price.amount),
        price_note=f"per month{_renews(state, subscription)}",
        text=_text(subscription),
        charge_title="",
        charge_lines=(),
        charge_total="",
        charge_note="",
        pay_now_href="",
        action="Change plan" if state.may_act else "See plans",
    )


def _badge(subscription: Subscription) -> tuple[str, str]:
    if subscription.status == SubscriptionStatus.PAST_DUE:
        return "Past due", "bad"
    if subscription.status == SubscriptionStatus.INACTIVE:
        return "Not started", "warn"
    if subscription.cancel_at_period_end:
        return "Ends soon", "warn"
    return "Active", "good"


def _renews(state: OverviewState, subscription: Subscription) -> str:
    end = subscription.current_period_end
    if end is None:
        return ""
    day = write_day(end.astimezone(state.account.timezone).date())
    return f" · ends {day}" if subscription.cancel_at_period_end else f" · renews {day}"


def _text(subscription: Subscription) -> str:
    if subscription.status == SubscriptionStatus.INACTIVE:
        return "The plan starts when its first month is paid."
    if subscription.plan_version.monthly_price.amount == 0:
        return "No monthly fee: usage is deducted from the balance."
    return ""
