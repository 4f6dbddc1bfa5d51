"""Plans side by side: which one is in force, and how one gets to the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Account
from accounts.money import format_quantity, format_usd
from accounts.quantities import split_unit, write_monthly_price, write_price, write_quantity
from accounts.recorded_words import translated
from billing_portal.dashboard.times import write_day
from plans import plan_changes, plan_quotes, subscriptions
from plans.models import FeatureKind, FeaturePrice, PlanChange, PlanVersion, Subscription
from plans.plan_quotes import Kind


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
    is_undo: bool
    lines: tuple[PlanLine, ...]
    minimum_top_up: str


@dataclass(frozen=True)
class PlanPage:
    """All plans the account may choose from."""

    intro: str
    can_cancel: bool
    plans: tuple[PlanCard, ...]


def build_plan_page(*, account: Account, may_act: bool, now: datetime) -> PlanPage:
    """Compose the comparison: each plan with its badge, or the button that leads to it."""
    current = subscriptions.current(account=account)
    versions = subscriptions.offered_to(account=account)
    change = plan_changes.scheduled(subscription=current) if current else None
    if current:
        # The version in force, not a newer one, is what this customer pays.
        own = current.plan_version
        versions = [own if each.plan_id == own.plan_id else each for each in versions]
    prices = _prices_of(versions)
    return PlanPage(
        intro=_intro(account, current, change),
        can_cancel=may_act and current is not None and not current.cancel_at_period_end,
        plans=tuple(
            _plan_card(
                version,
                prices[version.pk],
                standing=_standing(account, version, current, change, now) if may_act else None,
                badge=_badge(account, version, current, change),
                is_current=current is not None and current.plan_version.plan_id == version.plan_id,
            )
            for version in versions
        ),
    )


def why_blocked(*, account: Account, version: PlanVersion, now: datetime) -> str:
    """Return why an account can't move to a version now, or "". A missing card is asked later."""
    try:
        plan_quotes.check_may_change(account=account, plan_version=version, now=now)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def day_of(moment: datetime | None, account: Account) -> str:
    """Write the day of a moment where the account is."""
    return write_day(moment.astimezone(account.timezone).date()) if moment else ""


@dataclass(frozen=True)
class _Standing:
    """How one gets to a plan: a link, a button that undoes, or why it is not to be had now."""

    action: str
    href: str = ""
    is_undo: bool = False
    is_primary: bool = False


def _standing(
    account: Account,
    version: PlanVersion,
    current: Subscription | None,
    change: PlanChange | None,
    now: datetime,
) -> _Standing | None:
    name = version.plan.title
    if current is not None and version.plan_id == current.plan_version.plan_id:
        if current.cancel_at_period_end or change is not None:
            return _Standing(
                _("Keep %(name)s") % {"name": name}, reverse("plan-keep"), is_undo=True
            )
        return None
    if change is not None and version.pk == change.to_version_id:
        return None
    if blocked := why_blocked(account=account, version=version, now=now):
        return _Standing(blocked)
    verbs = {
        Kind.START: _("Choose %(name)s") % {"name": name},
        Kind.UPGRADE: _("Upgrade to %(name)s") % {"name": name},
        Kind.DOWNGRADE: _("Downgrade to %(name)s") % {"name": name},
    }
    kind = plan_quotes.kind_of(subscription=current, plan_version=version)
    return _Standing(
        verbs[kind],
        reverse("choose-plan", args=[version.plan.slug]),
        is_primary=kind != Kind.DOWNGRADE and bool(version.monthly_price.amount),
    )


def _badge(
    account: Account,
    version: PlanVersion,
    current: Subscription | None,
    change: PlanChange | None,
) -> str:
    if current is None:
        return ""
    day = day_of(current.current_period_end, account)
    if change is not None and version.pk == change.to_version_id:
        return _("From %(day)s") % {"day": day}
    if version.plan_id != current.plan_version.plan_id:
        return ""
    return (
        _("Until %(day)s") % {"day": day}
        if current.cancel_at_period_end or change
        else _("Current plan")
    )


def _intro(account: Account, current: Subscription | None, change: PlanChange | None) -> str:
    if current is None:
        ended = subscriptions.last_ended(account=account)
        if ended is None:
            return _("Choose how you pay. You can begin without a card.")
        day = day_of(ended.ended_at, account)
        return _(
            "%(plan)s ended on %(day)s. Choose a plan to go on; your credit is still yours."
        ) % {"plan": ended.plan_version.plan.title, "day": day}
    name = current.plan_version.plan.title
    day = day_of(current.current_period_end, account)
    if current.cancel_at_period_end:
        return _("You are on %(name)s, which is canceled and ends on %(day)s.") % {
            "name": name,
            "day": day,
        }
    if change is not None:
        return _("You are on %(name)s; it changes to %(plan)s on %(day)s.") % {
            "name": name,
            "plan": change.to_version.plan.title,
            "day": day,
        }
    return _("You are on %(name)s; the next period begins on %(day)s.") % {"name": name, "day": day}


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
    standing: _Standing | None,
    badge: str,
    is_current: bool,
) -> PlanCard:
    plan = version.plan
    monthly: Decimal = version.monthly_price.amount
    return PlanCard(
        slug=plan.slug,
        name=plan.title,
        description=translated(plan.description),
        price=format_usd(monthly),
        price_note=_("per month"),
        badge=badge,
        is_current=is_current,
        is_primary=standing is not None and standing.is_primary,
        action=standing.action if standing else "",
        action_href=standing.href if standing else "",
        is_undo=standing is not None and standing.is_undo,
        lines=tuple(_plan_line(price) for price in prices),
        minimum_top_up=_("Smallest top-up %(minimum_top_up)s")
        % {"minimum_top_up": format_usd(version.minimum_top_up.amount)},
    )


def _plan_line(price: FeaturePrice) -> PlanLine:
    feature, included = price.feature, price.included_quantity
    rate = write_price(price.unit_price.amount, feature.unit)
    if feature.kind == FeatureKind.RENTAL:
        rate = write_monthly_price(price.unit_price.amount, feature.unit)
    title = feature.title
    detail = rate
    if included:
        amount = (
            format_quantity(included)
            if feature.kind == FeatureKind.RENTAL
            else write_quantity(included, feature.unit)
        )
        detail = _("%(amount)s included, then %(rate)s") % {"amount": amount, "rate": rate}
        if price.maximum is not None and price.maximum <= included:
            detail = _("%(amount)s included") % {"amount": amount}
    if price.maximum is not None and price.maximum > included:
        detail = _("%(terms)s, at most %(maximum)s") % {
            "terms": detail,
            "maximum": f"{price.maximum:,}",
        }
    for tier in price.tiers.all():
        above = " ".join(split_unit(tier.above_quantity, feature.unit))
        percent = format_quantity(tier.discount_percent)
        detail = _("%(terms)s; %(percent)s%% less beyond %(above)s") % {
            "terms": detail,
            "percent": percent,
            "above": above,
        }
    return PlanLine(title=title, detail=detail)
