"""The page that cancels a plan: what ends when, and what stays."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from accounts.models import Account
from accounts.money import format_usd
from billing_portal.dashboard.plan_page import day_of
from billing_portal.dashboard.rows import Fact
from plans import period_costs, subscriptions
from plans.models import Subscription, SubscriptionStatus
from wallet.models import AutoRefill, Wallet


@dataclass(frozen=True)
class CancelPage:
    """What canceling brings about."""

    heading: str
    text: str
    ends: tuple[Fact, ...]
    stays: tuple[Fact, ...]
    alternative: str
    alternative_href: str
    problem: str
    button: str
    keep: str


def build_cancel_page(
    *, account: Account, subscription: Subscription, now: datetime, problem: str = ""
) -> CancelPage:
    """Compose the page. While past due a plan ends at once, else with its period."""
    name = subscription.plan_version.plan.name
    at_once = subscription.status == SubscriptionStatus.PAST_DUE
    day = day_of(now if at_once else subscription.current_period_end, account)
    when = "Today" if at_once else day
    ends = [Fact(f"{name} plan", when)]
    ends += [
        Fact(rental.feature.name, when, f"{rental.quantity:,} held")
        for rental in period_costs.rentals_held(account=account)
    ]
    if AutoRefill.objects.filter(wallet__account=account, enabled=True).exists():
        ends.append(Fact("Auto-Refill", when))
    balance = Wallet.objects.values_list("balance", flat=True).get(account=account)
    free = _free_plan(account, subscription)
    return CancelPage(
        heading=f"Cancel {name}",
        text=(
            f"{name} is not paid for this period, so it ends at once. What is unpaid is not "
            "charged any more. Afterwards no calls are accepted."
            if at_once
            else f"{name} is paid until {day} and works until then. Afterwards no calls are "
            "accepted. You can take this back until that day."
        ),
        ends=tuple(ends),
        stays=(
            Fact("Credit", format_usd(balance), "Any plan makes it usable again"),
            Fact("Cards, payments and receipts", "Stay in your account"),
        ),
        alternative=f"Change to {free} instead" if free and not at_once else "",
        alternative_href=reverse("choose-plan", args=["payg"]) if free and not at_once else "",
        problem=problem,
        button="Cancel now" if at_once else f"Cancel on {day}",
        keep=f"Keep {name}",
    )


def _free_plan(account: Account, subscription: Subscription) -> str:
    """Return the name of the free plan one may move to instead, or ""."""
    if not subscription.plan_version.monthly_price.amount:
        return ""
    for version in subscriptions.offered_to(account=account):
        if version.plan.slug == "payg":
            return version.plan.name
    return ""
