"""Plans side by side, and exactly what choosing one charges."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import reverse

from accounts import cards
from accounts.models import Account
from accounts.money import format_omr, format_quantity, format_unit_price, format_usd
from accounts.quantities import split_unit, write_price, write_quantity
from billing_portal.dashboard.plan_panel import line_fact
from billing_portal.dashboard.rows import CardLabel, Fact, label_of, price_facts
from billing_portal.dashboard.times import write_day, write_period
from plans import subscriptions
from plans.models import FeatureKind, FeaturePrice, PlanVersion, Subscription


@dataclass(frozen=True)
class PlanLine:
    """What a plan offers of one feature."""

    title: str
    detail: str


@dataclass(frozen=True)
class PlanCard:
    """One plan of the comparison."""

    slug: str
    name: str
    description: str
    price: str
    price_note: str
    badge: str
    is_current: bool
    is_primary: bool
    action: str
    action_href: str
    lines: tuple[PlanLine, ...]
    minimum_top_up: str


@dataclass(frozen=True)
class PlanPage:
    """All plans the account may choose from."""

    intro: str
    plans: tuple[PlanCard, ...]


@dataclass(frozen=True)
class SubscribeQuote:
    """What is agreed to on the page of a plan."""

    plan_name: str
    heading: str
    intro: str
    lines_title: str
    lines: tuple[Fact, ...]
    price: tuple[Fact, ...]
    total: str
    total_value: str
    charged: str
    rate: str
    after: str
    card: CardLabel | None
    needs_card: bool
    add_card_href: str
    problem: str
    action_href: str
    button: str
    busy: str


def build_plan_page(*, account: Account, may_act: bool) -> PlanPage:
    """Compose the comparison: the plan in force first has its badge, others their button."""
    current = subscriptions.current(account=account)
    versions = subscriptions.offered_to(account=account)
    if current:
        # The version in force, not a newer one, is what this customer pays.
        own = current.plan_version
        versions = [own if each.plan_id == own.plan_id else each for each in versions]
    prices = _prices_of(versions)
    blocked = why_blocked(account)
    return PlanPage(
        intro=_intro(current, account),
        plans=tuple(
            _plan_card(
                version, prices[version.pk], current=current, may_act=may_act, blocked=blocked
            )
            for version in versions
        ),
    )


def why_blocked(account: Account) -> str:
    """Return why a paid plan can't be chosen now, or "". A missing card is asked for later."""
    if cards.default_card(account=account) is None:
        return ""
    try:
        subscriptions.check_may_subscribe(account=account)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def build_quote(
    *, account: Account, version: PlanVersion, now: datetime, problem: str = ""
) -> SubscribeQuote:
    """Compose the page of a plan: the amounts exactly as they will be charged."""
    preview = subscriptions.preview(account=account, plan_version=version, now=now)
    plan, zone = version.plan, account.timezone
    here = reverse("subscribe", args=[plan.slug])
    is_free = preview.price.amount == 0
    card = cards.default_card(account=account)
    end = write_day(preview.period.end.astimezone(zone).date())
    total = format_usd(preview.price.amount)
    return SubscribeQuote(
        plan_name=plan.name,
        heading=f"Start {plan.name}" if is_free else f"Subscribe to {plan.name}",
        intro=plan.description,
        lines_title=f"First period, {write_period(preview.period.start, preview.period.end, zone)}",
        lines=tuple(line_fact(line) for line in preview.lines),
        price=() if is_free else price_facts(preview.price),
        total=total,
        total_value=f"{preview.price.amount:.2f}",
        charged="" if is_free else format_omr(preview.price.charged_amount.amount),
        rate=f"{settings.USD_TO_OMR.normalize():f}",
        after=(
            "No monthly fee and no card needed. What you use is deducted from the balance."
            if is_free
            else f"Renews on {end} and every month after, charged to your default card. "
            "Usage beyond what is included is deducted from the balance."
        ),
        card=label_of(card) if card and not is_free else None,
        needs_card=card is None and not is_free,
        add_card_href=f"{reverse('payment-method-add')}?next={here}",
        problem=problem,
        action_href=here,
        button=f"Start {plan.name}" if is_free else f"Subscribe and pay {total}",
        busy="Starting…" if is_free else "Charging the card…",
    )


def _intro(current: Subscription | None, account: Account) -> str:
    if current is None:
        return "Choose how you pay. You can begin without a card."
    name = current.plan_version.plan.name
    if current.current_period_end is None:
        return f"You are on {name}."
    day = write_day(current.current_period_end.astimezone(account.timezone).date())
    return f"You are on {name}; the next period begins on {day}."


def _prices_of(versions: Sequence[PlanVersion]) -> dict[int, list[FeaturePrice]]:
    found: dict[int, list[FeaturePrice]] = {version.pk: [] for version in versions}
    prices = (
        FeaturePrice.objects.filter(version__in=found)
        .select_related("feature")
        .prefetch_related("tiers")
        .order_by("feature__position")
    )
    for price in prices:
        found[price.version_id].append(price)
    return found


def _plan_card(
    version: PlanVersion,
    prices: Sequence[FeaturePrice],
    *,
    current: Subscription | None,
    may_act: bool,
    blocked: str,
) -> PlanCard:
    plan = version.plan
    monthly: Decimal = version.monthly_price.amount
    is_current = current is not None and current.plan_version.plan_id == plan.pk
    action, href = "", ""
    if may_act and not is_current:
        if blocked and (monthly or current is not None):
            action = blocked
        elif monthly or current is None:
            action = f"Choose {plan.name}"
            href = reverse("subscribe", args=[plan.slug])
    return PlanCard(
        slug=plan.slug,
        name=plan.name,
        description=plan.description,
        price=format_usd(monthly),
        price_note="per month",
        badge="Current plan" if is_current else "",
        is_current=is_current,
        is_primary=bool(monthly),
        action=action,
        action_href=href,
        lines=tuple(_plan_line(price) for price in prices),
        minimum_top_up=f"Smallest top-up {format_usd(version.minimum_top_up.amount)}",
    )


def _plan_line(price: FeaturePrice) -> PlanLine:
    feature, included = price.feature, price.included_quantity
    rate = write_price(price.unit_price.amount, feature.unit)
    if feature.kind == FeatureKind.RENTAL:
        rate = f"{format_unit_price(price.unit_price.amount)} per {feature.unit} a month"
    title = feature.name
    detail = rate
    if included:
        amount = (
            format_quantity(included)
            if feature.kind == FeatureKind.RENTAL
            else write_quantity(included, feature.unit)
        )
        detail = f"{amount} included, then {rate}"
        if price.maximum is not None and price.maximum <= included:
            detail = f"{amount} included"
    if price.maximum is not None and price.maximum > included:
        detail += f", at most {price.maximum:,}"
    for tier in price.tiers.all():
        above = " ".join(split_unit(tier.above_quantity, feature.unit))
        percent = format_quantity(tier.discount_percent)
        detail += f"; {percent}% less beyond {above}"
    return PlanLine(title=title, detail=detail)
