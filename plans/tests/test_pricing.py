"""The arithmetic of prices, against exact fractions."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans import pricing
from plans.pricing import Tier

GROWTH = (Tier(Decimal(5000), Decimal(10)), Tier(Decimal(20000), Decimal(20)))

quantities = st.decimals(0, 1_000_000_000, places=6)
counts = st.decimals(0, 999_999_999_999, places=6)
unit_prices = st.decimals(0, 10_000_000_000 - 1, places=8)
tier_lists = st.lists(
    st.builds(
        Tier, st.decimals(Decimal("0.000001"), 100_000, places=6), st.decimals(0, 100, places=2)
    ),
    max_size=4,
    unique_by=lambda tier: tier.above_quantity,
)


def exact_price(start: Fraction, end: Fraction, price: Fraction, tiers: list[Tier]) -> Fraction:
    """Return what the units from `start` to `end` cost, each at the price of its place."""
    steps = [(Fraction(0), Fraction(0))]
    steps += sorted((Fraction(t.above_quantity), Fraction(t.discount_percent)) for t in tiers)
    total = Fraction(0)
    for index, (above, discount) in enumerate(steps):
        step_end = steps[index + 1][0] if index + 1 < len(steps) else end
        units = max(Fraction(0), min(end, step_end) - max(start, above))
        total += units * price * (100 - discount) / 100
    return total


def half_up_to_millionths(amount: Fraction) -> Fraction:
    """Round half up to a millionth, exactly."""
    return Fraction((amount * 1_000_000 + Fraction(1, 2)).__floor__(), 1_000_000)


@given(billed=quantities, before=counts, unit_price=unit_prices, tiers=tier_lists)
def test_a_price_is_exact_and_rounded_once_whatever_the_figures(
    billed: Decimal, before: Decimal, unit_price: Decimal, tiers: list[Tier]
) -> None:
    price = pricing.price_units(billed, billed_before=before, unit_price=unit_price, tiers=tiers)
    start, end = Fraction(before), Fraction(before) + Fraction(billed)
    expected = half_up_to_millionths(exact_price(start, end, Fraction(unit_price), tiers))
    assert Fraction(price) == expected


@given(quantity=quantities, remaining=quantities, before=counts, tiers=tier_lists)
def test_included_and_billed_make_the_quantity(
    quantity: Decimal, remaining: Decimal, before: Decimal, tiers: list[Tier]
) -> None:
    rated = pricing.rate(
        quantity=quantity,
        included_remaining=remaining,
        billed_before=before,
        unit_price=Decimal("0.10"),
        tiers=tiers,
    )
    assert rated.included_quantity + rated.billed_quantity == quantity
    assert 0 <= rated.included_quantity <= remaining
    assert rated.amount >= 0
    if rated.billed_quantity:
        assert rated.included_quantity == remaining


@given(billed=quantities, before=counts, unit_price=unit_prices, tiers=tier_lists)
def test_the_parts_shown_to_the_customer_add_up_to_the_price(
    billed: Decimal, before: Decimal, unit_price: Decimal, tiers: list[Tier]
) -> None:
    parts = pricing.split_by_price(billed, billed_before=before, unit_price=unit_price, tiers=tiers)
    assert sum((Fraction(units) for units, _ in parts), Fraction(0)) == Fraction(billed)
    total = sum((Fraction(units) * Fraction(price) for units, price in parts), Fraction(0))
    amount = pricing.price_units(billed, billed_before=before, unit_price=unit_price, tiers=tiers)
    assert half_up_to_millionths(total) == Fraction(amount)


@given(
    parts=st.lists(st.decimals(0, 10_000, places=2), min_size=1, max_size=20),
    included=st.decimals(0, 10_000, places=2),
)
def test_many_small_records_cost_what_one_large_record_costs(
    parts: list[Decimal], included: Decimal
) -> None:
    """With prices that need no rounding, how usage is cut into records changes nothing."""
    whole = pricing.rate(
        quantity=sum(parts, Decimal(0)),
        included_remaining=included,
        billed_before=Decimal(0),
        unit_price=Decimal("0.10"),
        tiers=GROWTH,
    )
    remaining, billed, amount = included, Decimal(0), Decimal(0)
    for part in parts:
        rated = pricing.rate(
            quantity=part,
            included_remaining=remaining,
            billed_before=billed,
            unit_price=Decimal("0.10"),
            tiers=GROWTH,
        )
        remaining -= rated.included_quantity
        billed += rated.billed_quantity
        amount += rated.amount
    assert (included - remaining, billed) == (whole.included_quantity, whole.billed_quantity)
    assert amount == whole.amount


@pytest.mark.parametrize(
    ("before", "billed", "amount"),
    [
        ("0", "5000", "500"),
        ("4999", "2", "0.19"),
        ("5000", "1", "0.09"),
        ("19999", "2", "0.17"),
        ("20000", "1", "0.08"),
        ("0", "30000", "2650"),
    ],
)
def test_the_growth_tiers(before: str, billed: str, amount: str) -> None:
    price = pricing.price_units(
        Decimal(billed), billed_before=Decimal(before), unit_price=Decimal("0.10"), tiers=GROWTH
    )
    assert price == Decimal(amount)


@pytest.mark.parametrize(
    ("days_left", "amount"), [(30, "30.00"), (15, "15.00"), (1, "1.00"), (0, "0.00"), (-3, "0.00")]
)
def test_the_rest_of_a_period_is_charged_by_the_second(days_left: int, amount: str) -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    end = start + timedelta(days=30)
    now = end - timedelta(days=days_left)
    assert pricing.prorate(Decimal(30), start=start, end=end, now=now) == Decimal(amount)


def test_half_a_cent_of_a_period_is_rounded_up() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    end = start + timedelta(seconds=200)
    now = end - timedelta(seconds=1)
    assert pricing.prorate(Decimal(1), start=start, end=end, now=now) == Decimal("0.01")


def test_rentals_are_paid_for_beyond_the_included_ones() -> None:
    assert pricing.rental_quantity_billed(held=5, included=Decimal(2)) == 3
    assert pricing.rental_quantity_billed(held=1, included=Decimal(2)) == 0
