"""What a new version of a plan would change: its prices, for whom, and what it would earn.

Staff look at it before they publish. All amounts are USD, net of tax.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import Count

from accounts.bulk import any_uuid
from accounts.money import format_quantity, format_unit_price, format_usd
from plans import comparison, period_costs
from plans.comparison import Basis, PlanCost
from plans.models import (
    Allowance,
    Feature,
    FeatureKind,
    FeaturePrice,
    Plan,
    PlanVersion,
    Renewal,
    Subscription,
)
from plans.subscription_models import CURRENT_STATUSES

#: Accounts that are priced: pricing one takes a fraction of a millisecond, and staff wait for it.
MOST_PRICED = 2_000
_NONE = "–"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a version says otherwise than the one before, as people write it."""

    subject: str
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class OnVersion:
    """How many accounts are on a version of the plan now."""

    plan_version: PlanVersion
    accounts: int


@dataclass(frozen=True, slots=True)
class Side:
    """What accounts would have paid by one version, divided by what for."""

    monthly: Decimal = Decimal(0)
    usage: Decimal = Decimal(0)
    rentals: Decimal = Decimal(0)

    @property
    def amount(self) -> Decimal:
        """All of it."""
        return self.monthly + self.usage + self.rentals


@dataclass(frozen=True, slots=True)
class Earnings:
    """What the plan's accounts paid for their last whole period, and would by the new version.

    `accounts` are on the plan, `priced` of them were looked at: those with a whole period, at most
    MOST_PRICED. `lacking` used or hold something that the new version does not have: that part of
    theirs is in `before` and not in `after`.
    """

    accounts: int
    priced: int
    before: Side
    after: Side
    pay_more: int
    pay_less: int
    lacking: int
    largest_rise: Decimal


def in_force(*, version: PlanVersion) -> PlanVersion | None:
    """Return the version that is sold now beside which a draft is read; None before the first."""
    return (
        PlanVersion.objects.filter(plan=version.plan_id, published_at__isnull=False)
        .exclude(pk=version.pk)
        .select_related("plan")
        .order_by("-number")
        .first()
    )


def differences(*, before: PlanVersion, after: PlanVersion) -> list[Difference]:
    """Return all that differs between two versions, in the order of the catalogue. Two reads."""
    prices = comparison.price_lists(versions=[before, after])
    return [
        *_differ(
            str(after.plan),
            ("Monthly price", _usd(before.monthly_price), _usd(after.monthly_price)),
            ("Minimum top-up", _usd(before.minimum_top_up), _usd(after.minimum_top_up)),
        ),
        *_of_features(prices[before.pk], prices[after.pk]),
    ]


def accounts_by_version(*, plan: Plan) -> list[OnVersion]:
    """Return who is on which version of a plan now, the newest version first."""
    counts: dict[int, int] = dict(
        Subscription.objects.filter(plan_version__plan=plan, status__in=CURRENT_STATUSES)
        .order_by()
        .values_list("plan_version")
        .annotate(Count("pk"))
    )
    versions = PlanVersion.objects.filter(pk__in=counts).select_related("plan").order_by("-number")
    return [OnVersion(version, counts[version.pk]) for version in versions]


def earnings(*, version: PlanVersion, now: datetime) -> Earnings:
    """Price the last whole period of the plan's accounts by `version` and by what each is on.

    Real usage and rentals, allowances and tiers included, as `plans/comparison.py` prices them.
    """
    bases = _bases(version.plan_id, now)
    versions = {version.pk: version, **{each.pk: each for each, _ in bases}}
    prices = comparison.price_lists(versions=versions.values())
    before, after = Side(), Side()
    pay_more = pay_less = lacking = 0
    largest_rise = Decimal(0)
    for current, basis in bases:
        both = list({each.pk: each for each in (current, version)}.values())
        costs = comparison.compare(basis, versions=both, prices=prices, current=current).plans
        old, new = costs[0], costs[-1]
        before, after = _add(before, old), _add(after, new)
        rise = new.amount - old.amount
        pay_more += rise > 0
        pay_less += rise < 0
        lacking += bool(new.lacking)
        largest_rise = max(largest_rise, rise)
    return Earnings(
        accounts=sum(each.accounts for each in accounts_by_version(plan=version.plan)),
        priced=len(bases),
        before=before,
        after=after,
        pay_more=pay_more,
        pay_less=pay_less,
        lacking=lacking,
        largest_rise=largest_rise,
    )


def _of_features(
    before: Sequence[FeaturePrice], after: Sequence[FeaturePrice]
) -> Iterator[Difference]:
    old = {price.feature_id: price for price in before}
    new = {price.feature_id: price for price in after}
    features: dict[int, Feature] = {price.feature_id: price.feature for price in (*before, *after)}
    for feature in sorted(features.values(), key=lambda each: (each.position, each.key)):
        mine, theirs = old.get(feature.pk), new.get(feature.pk)
        if mine is None or theirs is None:
            gone, come = ("In the plan", _NONE) if mine else (_NONE, "In the plan")
            yield Difference(feature.name, "Feature", gone, come)
        written = zip(_NAMES, _written(mine), _written(theirs), strict=True)
        yield from _differ(feature.name, *written)


_NAMES = ("Included", "Unit price", "Maximum", "Volume tiers")


def _written(price: FeaturePrice | None) -> tuple[str, str, str, str]:
    if price is None:
        return (_NONE, _NONE, _NONE, _NONE)
    is_rental = price.feature.kind == FeatureKind.RENTAL
    unlimited = "No maximum" if is_rental else _NONE
    return (
        f"{format_quantity(price.included_quantity)} × {price.feature.unit}",
        format_unit_price(price.unit_price.amount),
        unlimited if price.maximum is None else f"{price.maximum:,}",
        ", ".join(
            f"−{format_quantity(tier.discount_percent)} % above "
            f"{format_quantity(tier.above_quantity)}"
            for tier in price.tiers.all()
        )
        or _NONE,
    )


def _differ(subject: str, *told: tuple[str, str, str]) -> Iterator[Difference]:
    for what, before, after in told:
        if before != after:
            yield Difference(subject, what, before, after)


def _usd(money: object) -> str:
    amount: Decimal = money.amount  # type: ignore[attr-defined]
    return format_usd(amount)


def _add(side: Side, cost: PlanCost) -> Side:
    rentals = sum(
        (each.amount for each in cost.features if each.feature.kind == FeatureKind.RENTAL),
        Decimal(0),
    )
    usage = sum((each.amount for each in cost.features), Decimal(0)) - rentals
    return Side(side.monthly + cost.monthly, side.usage + usage, side.rentals + rentals)


# The last whole period of each account on the plan, in one statement: an index leads from each
# subscription to its newest period that has ended.
_LAST_PERIODS = """
SELECT subscription.account_id, subscription.plan_version_id, period.id
FROM plans_subscription AS subscription
JOIN plans_planversion AS version ON version.id = subscription.plan_version_id
CROSS JOIN LATERAL (
    SELECT id FROM plans_renewal
    WHERE account_id = subscription.account_id AND subscription_id = subscription.id
      AND period_end <= %(now)s
    ORDER BY period_start DESC LIMIT 1) AS period
WHERE version.plan_id = %(plan)s AND subscription.status IN ('active', 'past_due')
ORDER BY period.id DESC
LIMIT %(most)s
"""


def _bases(plan_id: int, now: datetime) -> list[tuple[PlanVersion, Basis]]:
    """Return of each account that is priced the version it is on, and what it used and held."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_PERIODS, {"plan": plan_id, "now": now, "most": MOST_PRICED})
        found: list[tuple[UUID, int, int]] = cursor.fetchall()
    renewals = {
        renewal.account_id: renewal
        for renewal in Renewal.objects.filter(pk__in=[period for _, _, period in found])
    }
    if not renewals:
        return []
    versions = PlanVersion.objects.select_related("plan").in_bulk({pk for _, pk, _ in found})
    used, features = _used(renewals)
    since = min(renewal.period_start for renewal in renewals.values())
    rentals = period_costs.rentals_of(list(renewals), since=since).rentals
    return [
        (
            versions[version_id],
            Basis(
                asked=1,
                periods=[renewals[account_id]],
                is_running=False,
                features=features,
                used=used.get(account_id, {}),
                rentals=rentals.get(account_id, ()),
            ),
        )
        for account_id, version_id, _ in found
    ]


def _used(
    renewals: Mapping[UUID, Renewal],
) -> tuple[dict[UUID, dict[int, dict[int, Decimal]]], dict[int, Feature]]:
    """Return what each account used of each feature in its period, and the features."""
    used: dict[UUID, dict[int, dict[int, Decimal]]] = {}
    rows = (
        Allowance.objects.filter(
            account__in=any_uuid(list(renewals)),
            renewal__in=[renewal.pk for renewal in renewals.values()],
        )
        .exclude(used=0, billed_quantity=0)
        .order_by()
        .values_list("account_id", "feature_id", "renewal_id", "used", "billed_quantity")
    )
    for account_id, feature_id, renewal_id, drawn, billed in rows:
        used.setdefault(account_id, {}).setdefault(feature_id, {})[renewal_id] = drawn + billed
    return used, Feature.objects.in_bulk()
