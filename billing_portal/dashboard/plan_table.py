"""The plans feature by feature, with what differs from the plan in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.money import format_quantity, format_unit_price, format_usd
from accounts.quantities import write_monthly_price, write_price, write_quantity
from billing_portal.dashboard.plan_state import PlanState
from plans.models import Feature, FeatureKind, FeaturePrice, PlanVersion


@dataclass(frozen=True)
class Difference:
    """What differs from the plan in force, in words; `tone` says for better or worse."""

    text: str
    tone: str


@dataclass(frozen=True)
class PlanCell:
    """What one plan has of a feature; `plan` is said where the head of the table is not seen."""

    plan: str
    is_current: bool
    is_absent: bool
    text: str
    details: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class PlanRow:
    """One feature in all plans."""

    title: str
    cells: tuple[PlanCell, ...]


@dataclass(frozen=True)
class PlanTable:
    """All features in all plans. `names` head the columns; `current` is the one in force."""

    names: tuple[str, ...]
    current: str
    rows: tuple[PlanRow, ...]


def build_plan_table(state: PlanState) -> PlanTable:
    """Compose the table: the monthly price first, then every feature that a plan has."""
    features: dict[int, Feature] = {}
    for prices in state.prices.values():
        features.update({price.feature_id: price.feature for price in prices})
    ordered = sorted(features.values(), key=lambda feature: (feature.position, feature.key))
    own = state.current_version
    return PlanTable(
        names=tuple(version.plan.title for version in state.versions),
        current=own.plan.title if own else "",
        rows=(
            PlanRow(_("Monthly price"), tuple(_price_cell(state, each) for each in state.versions)),
            PlanRow(
                _("Smallest top-up"), tuple(_top_up_cell(state, each) for each in state.versions)
            ),
            *(_feature_row(state, feature) for feature in ordered),
        ),
    )


def _price_cell(state: PlanState, version: PlanVersion) -> PlanCell:
    own, monthly = state.current_version, version.monthly_price.amount
    differences: tuple[Difference, ...] = ()
    if own is not None and monthly != own.monthly_price.amount:
        differences = (_money_difference(monthly - own.monthly_price.amount),)
    return PlanCell(
        plan=version.plan.title,
        is_current=version == own,
        is_absent=False,
        text=format_usd(monthly),
        differences=differences,
    )


def _top_up_cell(state: PlanState, version: PlanVersion) -> PlanCell:
    return PlanCell(
        plan=version.plan.title,
        is_current=version == state.current_version,
        is_absent=False,
        text=format_usd(version.minimum_top_up.amount),
    )


def _feature_row(state: PlanState, feature: Feature) -> PlanRow:
    own = state.current_version
    mine = _price_of(state.prices[own.pk], feature) if own else None
    return PlanRow(
        feature.title,
        tuple(
            _feature_cell(
                version,
                _price_of(state.prices[version.pk], feature),
                mine,
                is_current=version == own,
                is_compared=own is not None and version != own,
            )
            for version in state.versions
        ),
    )


def _price_of(prices: Sequence[FeaturePrice], feature: Feature) -> FeaturePrice | None:
    return next((price for price in prices if price.feature_id == feature.pk), None)


def _feature_cell(
    version: PlanVersion,
    price: FeaturePrice | None,
    mine: FeaturePrice | None,
    *,
    is_current: bool,
    is_compared: bool,
) -> PlanCell:
    name = version.plan.title
    if price is None:
        gone = (Difference(_("Not in this plan"), "bad"),) if is_compared and mine else ()
        return PlanCell(name, is_current, is_absent=True, text="–", differences=gone)
    differences = _differences(price, mine) if is_compared else ()
    return PlanCell(name, is_current, False, _terms(price), _details(price), differences)


def _terms(price: FeaturePrice) -> str:
    """`500 minutes included`, else what each costs."""
    if not price.included_quantity:
        return _rate(price)
    return _("%(amount)s included") % {
        "amount": write_quantity(price.included_quantity, price.feature.unit)
    }


def _details(price: FeaturePrice) -> tuple[str, ...]:
    """What goes on from there: the price of more, its tiers, the most one may hold."""
    details = []
    maximum = price.maximum
    if price.included_quantity and (maximum is None or maximum > price.included_quantity):
        details.append(_("then %(rate)s") % {"rate": _rate(price)})
    details += [
        _("%(percent)s%% less beyond %(quantity)s")
        % {
            "percent": format_quantity(tier.discount_percent),
            "quantity": write_quantity(tier.above_quantity, price.feature.unit),
        }
        for tier in price.tiers.all()
    ]
    if maximum is not None:
        details.append(_("at most %(maximum)s") % {"maximum": f"{maximum:,}"})
    return tuple(details)


def _rate(price: FeaturePrice) -> str:
    write = write_monthly_price if price.feature.kind == FeatureKind.RENTAL else write_price
    return write(price.unit_price.amount, price.feature.unit)


def _differences(price: FeaturePrice, mine: FeaturePrice | None) -> tuple[Difference, ...]:
    if mine is None:
        return (Difference(_("Not in your plan"), "good"),)
    found = []
    more = price.included_quantity - mine.included_quantity
    if more:
        quantity = write_quantity(abs(more), price.feature.unit)
        found.append(
            Difference(_("%(quantity)s more included") % {"quantity": quantity}, "good")
            if more > 0
            else Difference(_("%(quantity)s fewer included") % {"quantity": quantity}, "bad")
        )
    dearer = price.unit_price.amount - mine.unit_price.amount
    if dearer:
        amount = format_unit_price(abs(dearer))
        found.append(
            Difference(_("%(amount)s more each") % {"amount": amount}, "bad")
            if dearer > 0
            else Difference(_("%(amount)s less each") % {"amount": amount}, "good")
        )
    return tuple(found)


def _money_difference(more: Decimal) -> Difference:
    amount = format_usd(abs(more))
    if more > 0:
        return Difference(_("%(amount)s more") % {"amount": amount}, "bad")
    return Difference(_("%(amount)s less") % {"amount": amount}, "good")
