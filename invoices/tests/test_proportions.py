"""What a part of a payment is worth in dollars, rials and tax.

That parts of any sizes add up to the payment: tests/properties/test_money.py.
"""

from decimal import Decimal

import pytest

from accounts.money import convert_to_omr
from invoices.proportions import Portion, part_of_amount, part_of_charge

STEP = Decimal("0.010")


def payment(amount: str, tax: str = "0") -> Portion:
    """A payment of `amount` USD, charged as settings say."""
    charged = convert_to_omr(Decimal(amount), rate=Decimal("0.385"), step=STEP)
    return Portion(Decimal(amount), Decimal(tax), charged)


@pytest.mark.parametrize(
    ("amount", "charged"),
    [
        ("25", "9.630"),  # all of it
        ("10", "3.850"),
        ("12.50", "4.820"),  # 4.815, half up
        ("24.99", "9.620"),  # 9.626 would leave nothing to pay the last cent with
        ("0.02", "0.010"),
    ],
)
def test_rials_are_proportional_in_steps_of_ten_baisa(amount: str, charged: str) -> None:
    whole = payment("25")
    part = part_of_amount(Decimal(amount), whole=whole, left=whole, step=STEP)
    assert part.charged == Decimal(charged)


@pytest.mark.parametrize("amount", ["0.01", "0", "-1", "25.01"])
def test_what_cannot_be_paid_in_rials_is_refused(amount: str) -> None:
    whole = payment("25")
    with pytest.raises(ValueError, match=r"can't be paid in steps of 0\.010"):
        part_of_amount(Decimal(amount), whole=whole, left=whole, step=STEP)


def test_three_thirds_of_a_payment_are_the_payment() -> None:
    whole = payment("10", tax="0.48")
    left = whole
    parts = []
    for amount in ("3.33", "3.33", "3.34"):
        parts.append(part_of_amount(Decimal(amount), whole=whole, left=left, step=STEP))
        left = left.minus(parts[-1])
    assert [part.charged for part in parts] == [
        Decimal("1.280"),
        Decimal("1.280"),
        Decimal("1.290"),
    ]
    assert [part.tax for part in parts] == [Decimal("0.16"), Decimal("0.16"), Decimal("0.16")]
    assert left == Portion(Decimal(0), Decimal(0), Decimal(0))


def test_a_refund_in_rials_becomes_dollars_half_up_and_the_last_takes_the_rest() -> None:
    whole = payment("25")
    first = part_of_charge(Decimal("3.210"), whole=whole, left=whole)
    assert first.amount == Decimal("8.33")  # 8.333…
    left = whole.minus(first)
    second = part_of_charge(Decimal("3.210"), whole=whole, left=left)
    last = part_of_charge(Decimal("3.210"), whole=whole, left=left.minus(second))
    assert (second.amount, last.amount) == (Decimal("8.33"), Decimal("8.34"))
