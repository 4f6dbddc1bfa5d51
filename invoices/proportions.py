"""What a part of a payment is worth, in dollars, rials and tax. Pure arithmetic, exact.

A card was charged in rials, credit and receipts are in dollars, and both are rounded. So a part is
proportional to the payment, and the last part takes what is left of each: the parts of a payment
always add up to it.
"""

from dataclasses import dataclass
from decimal import Decimal

from accounts.money import CENT, round_half_up, to_cents


@dataclass(frozen=True, slots=True)
class Portion:
    """A payment or a part of one. `amount` and `tax` are USD, `charged` OMR."""

    amount: Decimal
    tax: Decimal
    charged: Decimal

    def minus(self, other: "Portion") -> "Portion":
        """Return what is left without `other`."""
        return Portion(
            self.amount - other.amount, self.tax - other.tax, self.charged - other.charged
        )


def part_of_amount(amount: Decimal, *, whole: Portion, left: Portion, step: Decimal) -> Portion:
    """Return the part of `whole` that is worth `amount` USD, when `left` is left of it.

    Its rials are rounded half up to `step`. Unless it is all that is left, at least one step and
    one cent stay. Raises ValueError when that can't be: the amount is too small to be paid in
    rials, or so near to all that too little would stay.
    """
    if amount == left.amount:
        return left
    charged = round_half_up(amount * whole.charged / whole.amount, step)
    charged = min(charged, left.charged - step)
    if not 0 < amount < left.amount or charged <= 0:
        raise ValueError(f"{amount} can't be paid in steps of {step}, with {left.charged} left.")
    return Portion(amount, _tax_of(amount, whole=whole, left=left), charged)


def part_of_charge(charged: Decimal, *, whole: Portion, left: Portion) -> Portion:
    """Return the part of `whole` for which the card got `charged` OMR, when `left` is left.

    Its dollars are rounded half up to a cent. Unless it is all that is left, a cent stays.
    """
    if charged >= left.charged:
        return Portion(left.amount, left.tax, charged)
    amount = to_cents(charged * whole.amount / whole.charged)
    amount = max(min(amount, left.amount - CENT), Decimal(0))
    return Portion(amount, _tax_of(amount, whole=whole, left=left), charged)


def _tax_of(amount: Decimal, *, whole: Portion, left: Portion) -> Decimal:
    """Return the tax in `amount`: no more than is left, and no less than leaves the net enough."""
    tax = to_cents(amount * whole.tax / whole.amount)
    return max(min(tax, left.tax), amount - (left.amount - left.tax))
