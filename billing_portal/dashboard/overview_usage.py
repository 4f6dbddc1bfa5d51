"""What the Overview says of usage: what the plan includes of it, what was used, where it leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import FilteredRelation, OuterRef, Q

from accounts.models import Account
from plans import daily_spend, run_out, spend_projection
from plans.daily_spend import DaySum, Group, Question, Spend, Sums
from plans.models import (
    Allowance,
    Feature,
    FeatureKind,
    FeaturePrice,
    PriceTier,
    Renewal,
    RenewalStatus,
    Subscription,
)
from plans.pricing import Tier

#: What is read in the same statement, under names that only that query has.
_OF_A_FEATURE: tuple[str, ...] = ("price", "allowance")


@dataclass(frozen=True)
class Used:
    """What was used in this period, in the last one and `lately`: None without a period."""

    spends: tuple[Spend, ...] = ()
    previous_spends: tuple[Spend, ...] = ()
    workspaces: tuple[DaySum, ...] = ()
    lately: Sums | None = None
    by_feature: tuple[DaySum, ...] = ()
    is_complete: bool = True

    @property
    def spent(self) -> Decimal:
        """What this period cost so far."""
        return sum((spend.amount for spend in self.spends), Decimal(0))


@dataclass(frozen=True)
class PlanTerms:
    """What the plan's version says of consumables and rentals, and what was used of the former.

    `allowances` and `tiers` are by the id of their feature.
    """

    consumables: tuple[FeaturePrice, ...] = ()
    rentals: tuple[FeaturePrice, ...] = ()
    allowances: Mapping[int, Allowance] = field(default_factory=dict)
    tiers: Mapping[int, Sequence[Tier]] = field(default_factory=dict)


def read_used(
    account: Account, renewal: Renewal | None, previous: Renewal | None, now: datetime
) -> Used:
    """Read all of it in one statement."""
    if renewal is None:
        return Used()
    today = now.astimezone(account.timezone).date()
    questions = [
        daily_spend.in_period(account=account, renewal=renewal, by=Group.FEATURE),
        daily_spend.in_period(account=account, renewal=renewal, by=Group.WORKSPACE),
        Question(first=today - run_out.WINDOW, last=today - timedelta(days=1), by=Group.FEATURE),
    ]
    if previous is not None:
        questions.append(daily_spend.in_period(account=account, renewal=previous, by=Group.FEATURE))
    current, workspaces, lately, *before = daily_spend.answer(account=account, questions=questions)
    return Used(
        spends=tuple(daily_spend.costs(current)),
        previous_spends=tuple(spend for sums in before for spend in daily_spend.costs(sums)),
        workspaces=workspaces.rows,
        lately=lately,
        by_feature=(*current.rows, *(row for sums in before for row in sums.rows)),
        is_complete=current.is_complete,
    )


def read_terms(subscription: Subscription | None, renewal: Renewal | None) -> PlanTerms:
    """Read all of it in one statement.

    An allowance may be of a feature that the version no longer has.
    """
    if subscription is None:
        return PlanTerms()
    tiers_of = PriceTier.objects.filter(
        price__version_id=subscription.plan_version_id, price__feature_id=OuterRef("pk")
    ).order_by("above_quantity")
    features = Feature.objects.annotate(
        price=FilteredRelation(
            "prices", condition=Q(prices__version_id=subscription.plan_version_id)
        ),
        allowance=FilteredRelation(
            "allowances", condition=Q(allowances__renewal_id=renewal.pk if renewal else None)
        ),
        tier_bounds=ArraySubquery(tiers_of.values("above_quantity")),
        tier_discounts=ArraySubquery(tiers_of.values("discount_percent")),
    ).select_related(*_OF_A_FEATURE)
    prices, allowances, tiers = [], {}, {}
    for feature in features.order_by("position", "pk"):
        price: FeaturePrice | None = getattr(feature, "price", None)
        if price is not None:
            price.feature = feature
            prices.append(price)
            tiers[feature.pk] = [
                Tier(*each)
                for each in zip(feature.tier_bounds, feature.tier_discounts, strict=True)
            ]
        allowance: Allowance | None = getattr(feature, "allowance", None)
        if allowance is not None:
            allowances[feature.pk] = allowance
    return PlanTerms(
        consumables=tuple(p for p in prices if p.feature.kind == FeatureKind.CONSUMABLE),
        rentals=tuple(p for p in prices if p.feature.kind == FeatureKind.RENTAL),
        allowances=allowances,
        tiers=tiers,
    )


def days_left(
    *,
    account: Account,
    renewal: Renewal | None,
    balance: Decimal,
    terms: PlanTerms,
    lately: Sums | None,
    now: datetime,
) -> int | None:
    """For how many days the balance lasts beside what the plan includes, if that can be told."""
    if renewal is None or lately is None:
        return None
    if not lately.is_complete or not any(p.included_quantity for p in terms.consumables):
        return None
    drawn = run_out.draws(
        prices=terms.consumables,
        allowances=terms.allowances,
        is_granted=renewal.status == RenewalStatus.PAID,
        used=lately.rows,
        today=now.astimezone(account.timezone).date(),
    )
    if not drawn:
        return None
    return run_out.days_left(
        balance=balance,
        draws=drawn,
        until_renewal=renewal.period_end - now,
        period=renewal.period_end - renewal.period_start,
    )


def projected_spend(
    *, renewal: Renewal | None, used: Used, terms: PlanTerms, now: datetime
) -> Decimal | None:
    """What will be spent by the period's end, if that can be told."""
    if renewal is None or not used.is_complete:
        return None
    return spend_projection.projected_spend(
        spent=used.spent,
        prices=terms.consumables,
        tiers=terms.tiers,
        allowances=terms.allowances,
        renewal=renewal,
        now=now,
    )
