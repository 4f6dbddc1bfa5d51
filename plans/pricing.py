"""Pure arithmetic: what usage, a part of a month and a period cost. All amounts are USD."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal, localcontext

from accounts.money import to_cents, to_millionths

_HUNDRED = Decimal(100)
#: Enough digits for any quantity × price our columns hold, so that the one rounding is the only.
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Tier:
    """Billed units beyond `above_quantity` in a period cost `discount_percent` less."""

    above_quantity: Decimal
    discount_percent: Decimal


@dataclass(frozen=True, slots=True)
class Rated:
    """A record rated: included + billed = quantity, and `amount` USD to a millionth."""

    included_quantity: Decimal
    billed_quantity: Decimal
    amount: Decimal


def rate(
    *,
    quantity: Decimal,
    included_remaining: Decimal,
    billed_before: Decimal,
    unit_price: Decimal,
    tiers: Sequence[Tier] = (),
) -> Rated:
    """Draw from the allowance first and bill the rest at the unit price.

    `billed_before` is what was billed of the feature earlier in the period: it decides the tier.
    Source: DESIGN.md section 7.
    """
    included = min(quantity, included_remaining)
    billed = quantity - included
    amount = price_units(billed, billed_before=billed_before, unit_price=unit_price, tiers=tiers)
    return Rated(included, billed, amount)


def price_units(
    billed: Decimal,
    *,
    billed_before: Decimal,
    unit_price: Decimal,
    tiers: Sequence[Tier] = (),
) -> Decimal:
    """Return what `billed` units cost, rounded once, half up, to a millionth of a dollar.

    With tiers, units on both sides of a boundary are priced each at their own price.
    """
    with localcontext(_EXACT):
        if not tiers:
            return to_millionths(billed * unit_price)
        after = _full_price_units(billed_before + billed, tiers)
        before = _full_price_units(billed_before, tiers)
        return to_millionths(unit_price * (after - before))


def split_by_price(
    billed: Decimal,
    *,
    billed_before: Decimal,
    unit_price: Decimal,
    tiers: Sequence[Tier] = (),
) -> list[tuple[Decimal, Decimal]]:
    """Return the billed units in parts with the price of each: what price_units adds up."""
    with localcontext(_EXACT):
        end = billed_before + billed
        if billed and all(end <= tier.above_quantity for tier in tiers):
            return [(billed, unit_price)]
        steps = [(Decimal(0), Decimal(0))]
        steps += sorted((tier.above_quantity, tier.discount_percent) for tier in tiers)
        ends = [above for above, _ in steps[1:]] + [end]
        parts = []
        for (above, discount), step_end in zip(steps, ends, strict=True):
            units = min(end, step_end) - max(billed_before, above)
            if units > 0:
                parts.append((units, unit_price * (_HUNDRED - discount) / _HUNDRED))
        return parts


def _full_price_units(quantity: Decimal, tiers: Sequence[Tier]) -> Decimal:
    """Return how many units at full price cost as much as the period's first `quantity` units."""
    total = quantity
    discount = Decimal(0)
    for tier in sorted(tiers, key=lambda tier: tier.above_quantity):
        if quantity <= tier.above_quantity:
            break
        total -= (quantity - tier.above_quantity) * (tier.discount_percent - discount) / _HUNDRED
        discount = tier.discount_percent
    return total


def rental_quantity_billed(*, held: int, included: Decimal) -> int:
    """Return how many of the rentals held are paid for: those beyond the included ones."""
    return max(0, held - int(included))


def prorate(amount: Decimal, *, start: datetime, end: datetime, now: datetime) -> Decimal:
    """Return the part of `amount` for the rest of the period, by whole seconds, half up to a cent.

    Source: DESIGN.md section 7, a rental added within a period.
    """
    second = timedelta(seconds=1)
    left = max(0, min((end - now) // second, (end - start) // second))
    return to_cents(amount * left / Decimal((end - start) // second))
