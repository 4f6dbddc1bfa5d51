"""The plan card of the Overview: what it costs, when it renews, what will be charged."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.money import format_omr, format_unit_price, format_usd
from accounts.quantities import write_quantity
from accounts.recorded_words import translated
from billing_portal.dashboard.overview_state import OverviewState
from billing_portal.dashboard.rows import Fact, label_of, price_facts
from billing_portal.dashboard.times import write_day, write_period
from invoices import charging
from invoices.charging import NewLine
from plans.models import Subscription, SubscriptionStatus


@dataclass(frozen=True)
class Charge:
    """What will be charged, or is unpaid, line by line."""

    title: str
    lines: tuple[Fact, ...]
    price: tuple[Fact, ...]
    total: str
    note: str


@dataclass(frozen=True)
class PlanPanel:
    """The subscription in a few lines."""

    title: str
    badge: str
    badge_tone: str
    price: str
    price_note: str
    text: str
    charge: Charge | None
    pay_now_href: str
    action: str


def build_plan_panel(state: OverviewState) -> PlanPanel:
    """Compose the card; without a plan it says what to do."""
    subscription = state.subscription
    if subscription is None:
        return _without_a_plan(state)
    version = subscription.plan_version
    badge, tone = _badge(subscription)
    return PlanPanel(
        title=_plan(subscription),
        badge=badge,
        badge_tone=tone,
        price=format_usd(version.monthly_price.amount),
        price_note=_("per month"),
        text=" ".join(filter(None, (_renews(state, subscription), _text(subscription)))),
        charge=_unpaid(state) or _next_charge(state, subscription),
        pay_now_href=reverse("renewal-pay-now") if state.unpaid and state.may_act else "",
        action=_("Change plan") if state.may_act else _("See plans"),
    )


def _without_a_plan(state: OverviewState) -> PlanPanel:
    ended = state.ended
    title = _("No plan yet")
    text = _("A plan says what calls cost. Pay as you go has no monthly fee.")
    if ended is not None and ended.ended_at is not None:
        day = write_day(ended.ended_at.astimezone(state.account.timezone).date())
        title, text = _plan(ended), _("Ended %(day)s.") % {"day": day}
    return PlanPanel(
        title=title,
        badge=_("Ended") if ended else "",
        badge_tone="warn" if ended else "",
        price="",
        price_note="",
        text=text,
        charge=None,
        pay_now_href="",
        action=_("Choose a plan") if state.may_act else _("See plans"),
    )


def _plan(subscription: Subscription) -> str:
    return _("%(plan)s plan") % {"plan": subscription.plan_version.plan.title}


def charge_of(state: OverviewState, lines: Sequence[NewLine], *, title: str) -> Charge:
    """Write lines with their sum, the tax on it and what the card is charged."""
    price = charging.quote(charging.total_of(lines), account=state.account)
    return Charge(
        title=title,
        lines=tuple(line_fact(line) for line in lines),
        price=price_facts(price),
        total=format_usd(price.amount),
        note=_charged(state, price),
    )


def line_fact(line: NewLine) -> Fact:
    """Write a line, with its arithmetic when it has some."""
    note = ""
    if line.unit_price is not None:
        quantity = write_quantity(line.quantity, line.unit).strip()
        note = _("%(quantity)s at %(price)s") % {
            "quantity": quantity,
            "price": format_unit_price(line.unit_price),
        }
    return Fact(label=translated(line.description), value=format_usd(line.amount), note=note)


def _unpaid(state: OverviewState) -> Charge | None:
    renewal = state.unpaid
    if renewal is None or not state.unpaid_lines:
        return None
    period = write_period(renewal.period_start, renewal.period_end, state.account.timezone)
    return charge_of(state, state.unpaid_lines, title=_("Unpaid, %(period)s") % {"period": period})


def _next_charge(state: OverviewState, subscription: Subscription) -> Charge | None:
    end = subscription.current_period_end
    if end is None or not state.next_lines:
        return None
    day = write_day(end.astimezone(state.account.timezone).date())
    return charge_of(state, state.next_lines, title=_("Next charge, %(day)s") % {"day": day})


def _charged(state: OverviewState, price: charging.Quote) -> str:
    card = state.default_card
    if card is None:
        return _("There is no card to charge yet. Add one in Payment Methods.")
    rials = format_omr(price.charged_amount.amount)
    return _("%(rials)s at today's rate, from %(card)s.") % {
        "rials": rials,
        "card": label_of(card).spoken,
    }


def _badge(subscription: Subscription) -> tuple[str, str]:
    if subscription.status == SubscriptionStatus.PAST_DUE:
        return _("Past due"), "bad"
    if subscription.status == SubscriptionStatus.INACTIVE:
        return _("Not started"), "warn"
    if subscription.cancel_at_period_end:
        return _("Ends soon"), "warn"
    return _("Active"), "good"


def _renews(state: OverviewState, subscription: Subscription) -> str:
    end = subscription.current_period_end
    if end is None:
        return ""
    day = write_day(end.astimezone(state.account.timezone).date())
    if state.plan_change is not None:
        return _("Changes to %(plan)s %(day)s.") % {
            "plan": state.plan_change.to_version.plan.title,
            "day": day,
        }
    if subscription.cancel_at_period_end:
        return _("Ends %(day)s.") % {"day": day}
    return _("Renews %(day)s.") % {"day": day}


def _text(subscription: Subscription) -> str:
    if subscription.status == SubscriptionStatus.INACTIVE:
        return _("The plan starts when its first month is paid.")
    if subscription.plan_version.monthly_price.amount == 0:
        return _("No monthly fee; usage is deducted from the balance.")
    return ""
