"""What a period costs: the plan's price and the rentals held, line by line. All amounts are USD."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext_noop

from accounts.bulk import any_uuid
from accounts.models import Account
from accounts.money import format_quantity, to_cents
from accounts.recorded_words import Sentence
from invoices import charging
from invoices.charging import NewLine
from invoices.models import SMALLEST_CHARGE
from plans import periods, pricing
from plans.models import Feature, FeatureKind, FeaturePrice, PlanVersion, Rental, Subscription

PLAN_LINE = Sentence(gettext_noop("%(plan)s plan"))
RENTAL_LINE = Sentence(gettext_noop("%(feature)s (%(held)s held, %(included)s included)"))
UNUSED_LINE = Sentence(gettext_noop("Unused: %(line)s"))


def period_lines(
    *,
    plan_version: PlanVersion,
    period: periods.Period,
    held: Sequence[Rental],
    prices: Sequence[FeaturePrice] | None = None,
) -> list[NewLine]:
    """Return what is charged for one period of a plan with the rentals `held`, line by line (USD).

    Nothing where all of it is less than the smallest charge: that is waived. `prices` are the
    version's rental_prices, when they are at hand.
    """
    lines = []
    monthly_price = plan_version.monthly_price.amount
    if monthly_price:
        lines.append(
            NewLine(
                PLAN_LINE.write(plan=plan_version.plan.name),
                to_cents(monthly_price),
                period_start=period.start,
                period_end=period.end,
            )
        )
    by_feature = {
        price.feature_id: price
        for price in (rental_prices([plan_version])[plan_version.pk] if prices is None else prices)
    }
    for rental in held:
        price = by_feature.get(rental.feature_id)
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
    return lines if charging.total_of(lines) >= SMALLEST_CHARGE else []


def rental_prices(versions: Iterable[PlanVersion]) -> dict[int, list[FeaturePrice]]:
    """Return what rentals cost in each of these versions, by its id."""
    prices: dict[int, list[FeaturePrice]] = {version.pk: [] for version in versions}
    for price in FeaturePrice.objects.filter(
        version_id__in=list(prices), feature__kind=FeatureKind.RENTAL
    ):
        prices[price.version_id].append(price)
    return prices


def described(rental: Rental, price: FeaturePrice) -> str:
    """Return the rental's name, with what is held and free when the plan includes some."""
    if not price.included_quantity:
        return rental.feature.name
    included = format_quantity(price.included_quantity)
    return RENTAL_LINE.write(
        feature=rental.feature.name, held=f"{rental.quantity:,}", included=included
    )


def rentals_held(*, account: Account, at: datetime | None = None) -> list[Rental]:
    """Return the rentals held now, or those held at a moment."""
    if at is not None:
        return rentals_of([account.pk], since=at).held_by(account.pk, at=at)
    rentals = Rental.objects.filter(
        account=account, started_at__isnull=False, ended_at__isnull=True, quantity__gt=0
    )
    return list(rentals.select_related("feature").order_by("feature__position"))


@dataclass(frozen=True, slots=True)
class RentalHistory:
    """What some accounts held from some moment on, by account."""

    rentals: Mapping[UUID, Sequence[Rental]]

    def held_by(self, account_id: UUID, *, at: datetime) -> list[Rental]:
        """Return what an account held at a moment."""
        return [
            rental
            for rental in self.rentals.get(account_id, ())
            if rental.started_at is not None
            and rental.started_at <= at
            and (rental.ended_at is None or rental.ended_at > at)
        ]


def rentals_of(account_ids: Sequence[UUID], *, since: datetime) -> RentalHistory:
    """Return what these accounts held from `since` on, in one query."""
    found: dict[UUID, list[Rental]] = {}
    for rental in (
        Rental.objects.filter(
            Q(ended_at__isnull=True) | Q(ended_at__gt=since),
            account_id__in=any_uuid(account_ids),
            started_at__isnull=False,
            quantity__gt=0,
        )
        .select_related("feature")
        .order_by("feature__position")
    ):
        found.setdefault(rental.account_id, []).append(rental)
    return RentalHistory(found)


@dataclass(frozen=True, slots=True)
class Release:
    """A rental the next period's plan does not allow: how many are held, how many may stay."""

    feature: Feature
    held: int
    kept: int


def releases(
    *,
    held: Sequence[Rental],
    plan_version: PlanVersion,
    prices: Sequence[FeaturePrice] | None = None,
) -> list[Release]:
    """Return what a version does not have, or not so many of, among the rentals `held`.

    `prices` are the version's rental_prices, when they are at hand.
    """
    maximums = {
        price.feature_id: price.maximum
        for price in (rental_prices([plan_version])[plan_version.pk] if prices is None else prices)
    }
    found = []
    for rental in held:
        maximum = maximums.get(rental.feature_id, 0)
        if maximum is not None and rental.quantity > maximum:
            found.append(Release(rental.feature, rental.quantity, maximum))
    return found


def staying_of(held: Sequence[Rental]) -> list[Rental]:
    """Return of the rentals `held` what stays, without what was released during this period."""
    staying = [copy(rental) for rental in held]
    for rental in staying:
        if rental.quantity_at_renewal is not None:
            rental.quantity = rental.quantity_at_renewal
    return staying


def rentals_after_renewal(
    *,
    account: Account,
    plan_version: PlanVersion,
    prices: Sequence[FeaturePrice] | None = None,
) -> list[Rental]:
    """Return the rentals as they will be held in a period of `plan_version` that begins next.

    Without what was released during this one, and no more than the version allows. `prices` are
    the version's rental_prices, when they are at hand.
    """
    held = rentals_held(account=account)
    return after_renewal_of(held, plan_version=plan_version, prices=prices)


def after_renewal_of(
    held: Sequence[Rental],
    *,
    plan_version: PlanVersion,
    prices: Sequence[FeaturePrice] | None = None,
) -> list[Rental]:
    """Return of the rentals `held` now what rentals_after_renewal returns, without asking."""
    staying = staying_of(held)
    kept = {
        release.feature.pk: release.kept
        for release in releases(held=staying, plan_version=plan_version, prices=prices)
    }
    for rental in staying:
        rental.quantity = kept.get(rental.feature_id, rental.quantity)
    return [rental for rental in staying if rental.quantity]


def rental_price(*, subscription: Subscription, feature_key: str) -> FeaturePrice | None:
    """Return the price of a rental in the subscription's plan, or None when it is not in it."""
    return (
        subscription.plan_version.prices.filter(
            feature__key=feature_key, feature__kind=FeatureKind.RENTAL
        )
        .select_related("feature")
        .first()
    )
