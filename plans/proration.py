"""What moving to another version within a period costs, line by line. All amounts are USD.

For the plan and for each rental held: what the new version costs for the rest of the period, less
what was paid for the same time at the old version's price. It is the difference that is rounded,
once, by whole seconds and half up to a cent (DESIGN.md section 7); the line that gives back the
unused rest carries what rounding leaves, so that the lines add up to exactly the difference.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from accounts.money import to_cents
from invoices.charging import NewLine
from plans import period_costs, periods, pricing
from plans.models import FeaturePrice, PlanVersion, Rental
from plans.period_costs import PLAN_LINE, UNUSED_LINE


def change_lines(
    *,
    before: PlanVersion,
    after: PlanVersion,
    held: Sequence[Rental],
    prices: Mapping[int, Sequence[FeaturePrice]],
    period: periods.Period,
    at: datetime,
) -> list[NewLine]:
    """Return the charges and credits of moving from `before` to `after` at a moment of a period.

    `prices` are both versions' rental_prices. A rental the new version does not have is
    kept at its old price until the period ends.
    """
    lines = plan_lines(before=before, after=after, period=period, at=at)
    old_prices, new_prices = (
        {price.feature_id: price for price in prices[version.pk]} for version in (before, after)
    )
    for rental in held:
        old, new = old_prices.get(rental.feature_id), new_prices.get(rental.feature_id)
        if new is None:
            continue
        lines += _difference(
            period_costs.described(rental, old) if old else rental.feature.name,
            period_costs.described(rental, new),
            _monthly(rental, old),
            _monthly(rental, new),
            period=period,
            at=at,
        )
    return lines


def plan_lines(
    *, before: PlanVersion, after: PlanVersion, period: periods.Period, at: datetime
) -> list[NewLine]:
    """Return the charge and the credit for the plan itself, without rentals."""
    return _difference(
        PLAN_LINE.write(plan=before.plan.name),
        PLAN_LINE.write(plan=after.plan.name),
        before.monthly_price.amount,
        after.monthly_price.amount,
        period=period,
        at=at,
    )


def _monthly(rental: Rental, price: FeaturePrice | None) -> Decimal:
    if price is None:
        return Decimal(0)
    billed = pricing.rental_quantity_billed(held=rental.quantity, included=price.included_quantity)
    return to_cents(price.unit_price.amount * billed)


def _difference(
    old_name: str,
    new_name: str,
    old: Decimal,
    new: Decimal,
    *,
    period: periods.Period,
    at: datetime,
) -> list[NewLine]:
    if old == new:
        return []

    def rest(amount: Decimal) -> Decimal:
        return pricing.prorate(amount, start=period.start, end=period.end, now=at)

    charge = rest(new)
    unused = charge - rest(new - old)
    wanted = ((new_name, charge), (UNUSED_LINE.write(line=old_name), -unused))
    return [
        NewLine(description, amount, period_start=at, period_end=period.end)
        for description, amount in wanted
        if amount
    ]
