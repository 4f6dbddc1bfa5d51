"""What each plan would have cost for what was really used and held. All amounts are USD, net.

A period's allowance rows say how much of each feature was used in it, whatever it was rated with,
so no record is read. Every plan is priced alike, the account's own too: its price for the whole
period; usage with what the plan includes, its prices and its tiers; rentals from the day they were
taken to the end of the period. Usage is priced in one sum per feature and period where rating
rounds every record to a millionth: for records with no more than a millionth's decimals, which is
what they nearly always have, the sum is what was charged; else each differs by half a millionth at
most, a cent in 20,000 records.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F, Q

from accounts.models import Account
from accounts.money import to_cents
from invoices.models import SMALLEST_CHARGE
from plans import period_costs, pricing
from plans.models import (
    Allowance,
    Feature,
    FeaturePrice,
    PlanVersion,
    Renewal,
    Rental,
)
from plans.pricing import Tier

#: How many periods one may ask for.
CHOICES = (1, 3, 6)

Prices = Mapping[int, Sequence[FeaturePrice]]


@dataclass(frozen=True, slots=True)
class FeatureCost:
    """What a feature costs in a plan, in all periods together.

    `quantity` was used, or most that was held at a time. Of it `billed` is not included.
    """

    feature: Feature
    quantity: Decimal
    billed: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Lacking:
    """What was used or held and a plan does not have (`most` is None), or not so many of."""

    feature: Feature
    held: int
    most: int | None


@dataclass(frozen=True, slots=True)
class PlanCost:
    """What a plan comes to; `lacking` is what it could not have been used for, and is not in it."""

    plan_version: PlanVersion
    monthly: Decimal
    features: Sequence[FeatureCost]
    lacking: Sequence[Lacking]

    @property
    def amount(self) -> Decimal:
        """The monthly prices and all features."""
        return self.monthly + sum((each.amount for each in self.features), Decimal(0))


@dataclass(frozen=True, slots=True)
class Basis:
    """What plans are priced on: periods, oldest first, and what was used and held in them.

    `asked` periods were wanted. Without a whole one it is the period that runs, as it stands:
    `is_running`. `rentals` are those held in the periods, and those held now.
    """

    asked: int
    periods: Sequence[Renewal]
    is_running: bool
    features: Mapping[int, Feature]
    used: Mapping[int, Mapping[int, Decimal]]
    rentals: Sequence[Rental]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The plans priced on the same basis.

    `cheapest` is the least, to the cent, that has all that was used and held: the plan in force
    before others at the same amount; None when no plan has it all.
    """

    plans: Sequence[PlanCost]
    current: PlanCost | None
    cheapest: PlanCost | None


def price_lists(*, versions: Iterable[PlanVersion]) -> dict[int, list[FeaturePrice]]:
    """Return all prices of each version with their features and tiers, by its id, in two reads."""
    found: dict[int, list[FeaturePrice]] = {version.pk: [] for version in versions}
    for price in (
        FeaturePrice.objects.filter(version__in=list(found))
        .select_related("feature")
        .prefetch_related("tiers")
        .order_by("feature__position")
    ):
        found[price.version_id].append(price)
    return found


def basis(*, account: Account, asked: int, now: datetime) -> Basis:
    """Read what the account used and held in its last `asked` whole periods, in three reads.

    A period that a change of plan cut short is no whole one, and is left out.
    """
    renewals = _periods(account, asked, now)
    features: dict[int, Feature] = {}
    used: dict[int, dict[int, Decimal]] = {}
    for allowance in (
        Allowance.objects.filter(account=account, renewal__in=[each.pk for each in renewals])
        .exclude(used=0, billed_quantity=0)
        .select_related("feature")
        .order_by("feature__position")
    ):
        features[allowance.feature_id] = allowance.feature
        quantities = used.setdefault(allowance.feature_id, {})
        quantities[allowance.renewal_id] = allowance.used + allowance.billed_quantity
    since = renewals[0].period_start if renewals else now
    history = period_costs.rentals_of([account.pk], since=since)
    return Basis(
        asked=asked,
        periods=renewals,
        is_running=any(renewal.period_end > now for renewal in renewals),
        features=features,
        used=used,
        rentals=history.rentals.get(account.pk, ()),
    )


def _periods(account: Account, asked: int, now: datetime) -> list[Renewal]:
    whole = Q(subscription__ended_at__isnull=True) | Q(subscription__ended_at__gte=F("period_end"))
    found = list(
        Renewal.objects.filter(whole, account=account, period_start__lte=now)
        .order_by("-period_start")
        .only("period_start", "period_end")[: asked + 1]
    )
    ended = [renewal for renewal in found if renewal.period_end <= now]
    return list(reversed(ended[:asked])) or found


def compare(
    basis: Basis,
    *,
    versions: Sequence[PlanVersion],
    prices: Prices,
    current: PlanVersion | None,
) -> Comparison:
    """Price each version on the same basis.

    `prices` are the versions' price_lists; `current` is the version in force, one of `versions`.
    """
    plans = [_plan_cost(version, prices[version.pk], basis) for version in versions]
    able = [plan for plan in plans if not plan.lacking]
    return Comparison(
        plans=plans,
        current=next((each for each in plans if each.plan_version == current), None),
        cheapest=min(
            able,
            key=lambda plan: (to_cents(plan.amount), plan.plan_version != current),
            default=None,
        ),
    )


def _plan_cost(version: PlanVersion, prices: Sequence[FeaturePrice], basis: Basis) -> PlanCost:
    by_feature = {price.feature_id: price for price in prices}
    costs: list[FeatureCost] = []
    lacking: list[Lacking] = []
    for feature_id, quantities in basis.used.items():
        if price := by_feature.get(feature_id):
            costs.append(_usage_cost(price, quantities.values()))
        else:
            lacking.append(Lacking(basis.features[feature_id], 0, None))
    held: dict[int, list[Rental]] = {}
    for rental in basis.rentals:
        if any(_is_held_in(rental, renewal) for renewal in basis.periods):
            held.setdefault(rental.feature_id, []).append(rental)
    for feature_id, rows in held.items():
        price = by_feature.get(feature_id)
        most = max(rental.quantity for rental in rows)
        if price is None:
            lacking.append(Lacking(rows[0].feature, most, None))
            continue
        if price.maximum is not None and price.maximum < most:
            lacking.append(Lacking(rows[0].feature, most, price.maximum))
        costs.append(_rental_cost(price, rows, basis.periods))
    monthly: Decimal = version.monthly_price.amount * len(basis.periods)
    return PlanCost(version, monthly, costs, lacking)


def _usage_cost(price: FeaturePrice, quantities: Iterable[Decimal]) -> FeatureCost:
    tiers = [Tier(tier.above_quantity, tier.discount_percent) for tier in price.tiers.all()]
    rated = [
        pricing.rate(
            quantity=quantity,
            included_remaining=price.included_quantity,
            billed_before=Decimal(0),
            unit_price=price.unit_price.amount,
            tiers=tiers,
        )
        for quantity in quantities
    ]
    return FeatureCost(
        feature=price.feature,
        quantity=sum((each.included_quantity + each.billed_quantity for each in rated), Decimal(0)),
        billed=sum((each.billed_quantity for each in rated), Decimal(0)),
        amount=sum((each.amount for each in rated), Decimal(0)),
    )


def _is_held_in(rental: Rental, renewal: Renewal) -> bool:
    return (
        rental.started_at is not None
        and rental.started_at < renewal.period_end
        and (rental.ended_at is None or rental.ended_at > renewal.period_start)
    )


def _rental_cost(
    price: FeaturePrice, rentals: Sequence[Rental], renewals: Sequence[Renewal]
) -> FeatureCost:
    """Price what was held as it is charged: in full from the start, more of it from its day on.

    What is let go within a period is not given back, and no more is priced than a plan allows.
    """
    amount = Decimal(0)
    most, most_billed = 0, 0
    for renewal in renewals:
        billed = 0
        rows = [rental for rental in rentals if _is_held_in(rental, renewal)]
        for rental in sorted(rows, key=lambda row: row.started_at or renewal.period_start):
            begins = max(rental.started_at or renewal.period_start, renewal.period_start)
            allowed = rental.quantity if price.maximum is None else price.maximum
            quantity = min(rental.quantity, allowed)
            after = pricing.rental_quantity_billed(held=quantity, included=price.included_quantity)
            if after > billed:
                cost = pricing.prorate(
                    price.unit_price.amount * (after - billed),
                    start=renewal.period_start,
                    end=renewal.period_end,
                    now=begins,
                )
                is_waived = begins > renewal.period_start and cost < SMALLEST_CHARGE
                amount += Decimal(0) if is_waived else cost
                billed = after
            most = max(most, quantity)
        most_billed = max(most_billed, billed)
    return FeatureCost(price.feature, Decimal(most), Decimal(most_billed), amount)
