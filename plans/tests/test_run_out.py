"""How long a balance lasts beside allowances: worked examples."""

from datetime import timedelta
from decimal import Decimal

from plans import run_out
from plans.run_out import Draw


def minutes(*, per_day: str, remaining: str, included: str = "500") -> Draw:
    """Call minutes at ten cents."""
    return Draw(Decimal(per_day), Decimal(remaining), Decimal(included), Decimal("0.10"))


def days_left(balance: str, *draws: Draw, until_renewal: int) -> int:
    """Periods of thirty days."""
    return run_out.days_left(
        balance=Decimal(balance),
        draws=draws,
        until_renewal=timedelta(days=until_renewal),
        period=timedelta(days=30),
    )


def test_without_an_allowance_the_balance_is_divided_by_the_pace() -> None:
    # 30 minutes a day cost $3.00: $36.00 are twelve days.
    assert (
        days_left("36", minutes(per_day="30", remaining="0", included="0"), until_renewal=9) == 12
    )


def test_what_is_left_of_the_allowance_is_used_first() -> None:
    # 150 minutes are five free days, then $3.00 a day: $36.00 are twelve days more.
    assert days_left("36", minutes(per_day="30", remaining="150"), until_renewal=30) == 17


def test_a_renewal_grants_free_days_again() -> None:
    # Six days cost $18.00 until the renewal; 500 minutes are 16 days and two thirds free; the other
    # $18.00 are six days more.
    assert days_left("36", minutes(per_day="30", remaining="0"), until_renewal=6) == 28


def test_usage_within_the_allowance_never_uses_the_balance_up() -> None:
    assert (
        days_left("1", minutes(per_day="16", remaining="100"), until_renewal=6) == run_out.HORIZON
    )


def test_each_consumable_has_an_allowance_of_its_own() -> None:
    tokens = Draw(Decimal(100), Decimal(0), Decimal(0), Decimal("0.01"))

    # Tokens cost $1.00 a day; minutes are free for ten days and then cost $3.00: 10 + 30 / 4 days.
    assert days_left("40", minutes(per_day="30", remaining="300"), tokens, until_renewal=30) == 17


def test_an_empty_balance_lasts_while_the_allowance_does() -> None:
    assert days_left("0", minutes(per_day="30", remaining="150"), until_renewal=30) == 5


def test_a_balance_below_zero_is_used_up() -> None:
    assert days_left("-148", minutes(per_day="30", remaining="0"), until_renewal=29) == 0
    assert days_left("-0.000001", minutes(per_day="30", remaining="150"), until_renewal=29) == 0
