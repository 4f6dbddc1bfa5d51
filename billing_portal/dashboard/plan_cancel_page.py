"""The page that cancels a plan: what ends when, and what stays."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

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
    name = subscription.plan_version.plan.title
    at_once = subscription.status == SubscriptionStatus.PAST_DUE
    day = day_of(now if at_once else subscription.current_period_end, account)
    when = _("Today") if at_once else day
    ends = [Fact(_("%(plan)s plan") % {"plan": name}, when)]
    ends += [
        Fact(rental.feature.title, when, _("%(count)s held") % {"count": f"{rental.quantity:,}"})
        for rental in period_costs.rentals_held(account=account)
    ]
    if AutoRefill.objects.filter(wallet__account=account, enabled=True).exists():
        ends.append(Fact(_("Auto-Refill"), when))
    balance = Wallet.objects.values_list("balance", flat=True).get(account=account)
    free = _free_plan(account, subscription)
    return CancelPage(
        heading=_("Cancel %(plan)s") % {"plan": name},
        text=(
            _(
                "%(name)s is not paid for this period, so it ends at once. What is "
                "unpaid is not charged any more. Afterwards no calls are accepted."
            )
            % {"name": name}
            if at_once
            else _(
                "%(name)s is paid until %(day)s and works until then. Afterwards no "
                "calls are accepted. You can take this back until that day."
            )
            % {"name": name, "day": day}
        ),
        ends=tuple(ends),
        stays=(
            Fact(_("Credit"), format_usd(balance), _("Any plan makes it usable again")),
            Fact(_("Cards, payments and receipts"), _("Stay in your account")),
        ),
        alternative=_("Change to %(free)s instead") % {"free": free}
        if free and not at_once
        else "",
        alternative_href=reverse("choose-plan", args=["payg"]) if free and not at_once else "",
        problem=problem,
        button=_("Cancel now") if at_once else _("Cancel on %(day)s") % {"day": day},
        keep=_("Keep %(name)s") % {"name": name},
    )


def _free_plan(account: Account, subscription: Subscription) -> str:
    """Return the name of the free plan one may move to instead, or ""."""
    if not subscription.plan_version.monthly_price.amount:
        return ""
    for version in subscriptions.offered_to(account=account):
        if version.plan.slug == "payg":
            return version.plan.title
    return ""
