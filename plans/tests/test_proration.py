"""Proration: for any prices and any moment, the parts add up and never exceed the difference."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from accounts.money import usd
from plans import periods, proration
from plans.models import Plan, PlanVersion

CENT = Decimal("0.01")
#: One rounding, half up.
HALF_A_CENT = Decimal("0.005")

prices = st.decimals(min_value=0, max_value=5000, places=2, allow_nan=False)
anchors = st.integers(0, 9 * 365 * 86400).map(
    lambda seconds: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


def lines_of(old: Decimal, new: Decimal, period: periods.Period, at: datetime) -> list[Decimal]:
    """Return the amounts of moving from one monthly price to another."""
    before = PlanVersion(plan=Plan(name="Old"), monthly_price=usd(old))
    after = PlanVersion(plan=Plan(name="New"), monthly_price=usd(new))
    lines = proration.plan_lines(before=before, after=after, period=period, at=at)
    return [line.amount for line in lines]


@given(old=prices, more=prices, anchor=anchors, number=st.integers(1, 60), seconds=st.integers(0))
def test_an_upgrade_never_charges_more_than_the_full_difference(
    old: Decimal, more: Decimal, anchor: datetime, number: int, seconds: int
) -> None:
    period = periods.period(anchor, number)
    length = int((period.end - period.start).total_seconds())
    at = period.start + timedelta(seconds=seconds % length)
    amounts = lines_of(old, old + more, period, at)
    charged = sum(amounts, Decimal(0))
    left = length - seconds % length
    exact = more * left / length
    assert 0 <= charged <= more
    assert abs(charged - exact) <= HALF_A_CENT
    assert charged == charged.quantize(CENT, ROUND_HALF_UP)
    assert all(amount >= 0 for amount in amounts[:1])
    assert all(amount <= 0 for amount in amounts[1:])


@given(price=prices, more=prices, anchor=anchors)
def test_at_the_first_second_it_is_the_full_difference(
    price: Decimal, more: Decimal, anchor: datetime
) -> None:
    period = periods.period(anchor, 1)
    assert sum(lines_of(price, price + more, period, period.start), Decimal(0)) == more


@given(
    price=prices,
    step=prices,
    anchor=anchors,
    seconds=st.integers(0, 27 * 86400),
)
def test_two_upgrades_at_one_moment_cost_what_one_does(
    price: Decimal, step: Decimal, anchor: datetime, seconds: int
) -> None:
    """Within a cent: each is rounded once."""
    period = periods.period(anchor, 1)
    at = period.start + timedelta(seconds=seconds)
    middle, top = price + step, price + 2 * step
    one = sum(lines_of(price, top, period, at), Decimal(0))
    two = sum(lines_of(price, middle, period, at), Decimal(0)) + sum(
        lines_of(middle, top, period, at), Decimal(0)
    )
    assert abs(one - two) <= CENT
