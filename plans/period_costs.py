"""What a period costs: the plan's price and the rentals held, line by line. All amounts are USD."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q

from accounts.models import Account
from accounts.money import format_quantity, to_cents
from invoices.charging import NewLine
from plans import periods, pricing
from plans.models import Feature, FeatureKind, FeaturePrice, PlanVersion, Rental, Subscription


def period_lines(
    *,
    account: Account,
    plan_version: PlanVersion,
    period: periods.Period,
    held: Sequence[Rental],
) -> list[NewLine]:
    """Return what one period of a plan with the rentals `held` costs, line by line (USD)."""
    lines = []
    monthly_price = plan_version.monthly_price.amount
    if monthly_price:
        lines.append(
            NewLine(
                f"{plan_version.plan.name} plan",
                to_cents(monthly_price),
                period_start=period.start,
                period_end=period.end,
            )
        )
    prices = {
        price.feature_id: price
        for price in plan_version.prices.filter(feature__kind=FeatureKind.RENTAL)
    }
    for rental in held:
        price = prices.get(rental.feature_id)
        if price is None:
            continue
        billed = pricing.rental_quantity_billed(
            held=rental.quantity, included=price.included_quantity
        )
        cost = to_cents(price.unit_price.amount * billed)
        if cost:
            lines.append(
                NewLine(
                    described(rental, price),
                    cost,
                    quantity=Decimal(billed),
                    unit=rental.feature.unit,
                    unit_price=price.unit_price.amount,
                    period_start=period.start,
                    period_end=period.end,
                )
            )
    return lines


def described(rental: Rental, price: FeaturePrice) -> str:
    """Return the rental's name, with what is held and free when the plan includes some."""
    if not price.included_quantity:
        return rental.feature.name
    included = format_quantity(price.included_quantity)
    return f"{rental.feature.name} ({rental.quantity:,} held, {included} included)"


def rentals_held(*, account: Account, at: datetime | None = None) -> list[Rental]:
    """Return the rentals held now, or those held at a moment."""
    rentals = Rental.objects.filter(account=account, started_at__isnull=False, quantity__gt=0)
    if at is None:
        rentals = rentals.filter(ended_at__isnull=True)
    else:
        rentals = rentals.filter(started_at__lte=at).filter(
            Q(ended_at__isnull=True) | Q(ended_at__gt=at)
        )
    return list(rentals.select_related("feature").order_by("feature__position"))


@dataclass(frozen=True, slots=True)
class Release:
    """A rental the next period's plan does not allow: how many are held, how many may stay."""

    feature: Feature
    held: int
    kept: int


def releases(*, held: Sequence[Rental], plan_version: PlanVersion) -> list[Release]:
    """Return what a version does not have, or not so many of, among the rentals `held`."""
    maximums = dict(
        plan_version.prices.filter(feature__kind=FeatureKind.RENTAL).values_list(
            "feature_id", "maximum"
        )
    )
    found = []
    for rental in held:
        maximum = maximums.get(rental.feature_id, 0)
        if maximum is not None and rental.quantity > maximum:
            found.append(Release(rental.feature, rental.quantity, maximum))
    return found


def rentals_staying(*, account: Account) -> list[Rental]:
    """Return the rentals held, without what was released during this period."""
    held = rentals_held(account=account)
    for rental in held:
        if rental.quantity_at_renewal is not None:
            rental.quantity = rental.quantity_at_renewal
    return held


def rentals_after_renewal(*, account: Account, plan_version: PlanVersion) -> list[Rental]:
    """Return the rentals as they will be held in a period of `plan_version` that begins next.

    Without what was released during this one, and no more than the version allows.
    """
    held = rentals_staying(account=account)
    kept = {
        release.feature.pk: release.kept
        for release in releases(held=held, plan_version=plan_version)
    }
    for rental in held:
        rental.quantity = kept.get(rental.feature_id, rental.quantity)
    return [rental for rental in held if rental.quantity]


def rental_price(*, subscription: Subscription, feature_key: str) -> FeaturePrice | None:
    """Return the price of a rental in the subscription's plan, or None when it is not in it."""
    return (
        subscription.plan_version.prices.filter(
            feature__key=feature_key, feature__kind=FeatureKind.RENTAL
        )
        .select_related("feature")
        .first()
    )
