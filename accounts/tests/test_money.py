"""Worked examples of exact money (DESIGN.md section 4)."""

from decimal import Decimal

import pytest
from djmoney.money import Money

from accounts import money

RATE = Decimal("0.385")
TEN_BAISA = Decimal("0.010")


@pytest.mark.parametrize(
    ("dollars", "rials"),
    [
        ("1", "0.390"),  # 385 baisa
        ("5", "1.930"),  # 1,925 baisa
        ("10", "3.850"),  # exactly
        ("25", "9.630"),  # 9,625 baisa
        ("0.01", "0.000"),  # 3.85 baisa
        ("99", "38.120"),  # 38,115 baisa: the half goes up
        ("5000", "1925.000"),
    ],
)
def test_dollars_are_charged_in_rials_half_up_to_ten_baisa(dollars: str, rials: str) -> None:
    charged = money.convert_to_omr(Decimal(dollars), rate=RATE, step=TEN_BAISA)
    assert str(charged) == rials


@pytest.mark.parametrize(
    ("amount", "currency", "minor"), [("3.850", "OMR", 3850), ("1.00", "USD", 100)]
)
def test_stripe_takes_baisa_and_cents(amount: str, currency: str, minor: int) -> None:
    assert money.to_minor_units(Money(Decimal(amount), currency)) == minor


@pytest.mark.parametrize(("amount", "currency"), [("0.0001", "OMR"), ("0.001", "USD")])
def test_a_part_of_a_baisa_or_cent_cannot_be_charged(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match="smallest unit"):
        money.to_minor_units(Money(Decimal(amount), currency))


@pytest.mark.parametrize(
    ("amount", "cents"),
    [("0.005", "0.01"), ("0.0049", "0.00"), ("2.675", "2.68"), ("-0.005", "-0.01")],
)
def test_cents_are_rounded_half_up(amount: str, cents: str) -> None:
    assert money.to_cents(Decimal(amount)) == Decimal(cents)


def test_usage_is_rounded_half_up_to_a_millionth_of_a_dollar() -> None:
    assert money.to_millionths(Decimal("0.0000005")) == Decimal("0.000001")
    assert money.to_millionths(Decimal("0.00000049")) == 0


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("-0", "$0.00"),
        ("0.004", "$0.00"),
        ("1234.5", "$1,234.50"),
        ("-3.2", "−$3.20"),
        ("-0.005", "−$0.01"),
        ("-0.004", "−$0.004"),
        ("-0.0012", "−$0.001"),
        ("-0.0004", "−$0.0004"),
        ("-0.000001", "−$0.000001"),
        ("-1234567.891", "−$1,234,567.89"),
    ],
)
def test_a_negative_balance_never_reads_as_nothing(amount: str, shown: str) -> None:
    assert money.format_usd(Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("0.15", "$0.15"),
        ("0.0125", "$0.0125"),
        ("12", "$12.00"),
        ("1200", "$1,200.00"),
        ("-24", "−$24.00"),
    ],
)
def test_a_unit_price_shows_the_decimals_it_has(price: str, shown: str) -> None:
    assert money.format_unit_price(Decimal(price)) == shown


@pytest.mark.parametrize(
    ("quantity", "shown"),
    [("12.000000", "12"), ("0.500000", "0.5"), ("1250", "1,250"), ("0", "0"), ("-0.5", "-0.5")],
)
def test_a_quantity_has_no_zeros_that_say_nothing(quantity: str, shown: str) -> None:
    assert money.format_quantity(Decimal(quantity)) == shown


def test_rials_show_three_decimals() -> None:
    assert money.format_omr(Decimal("3.85")) == "OMR 3.850"


def test_what_a_balance_lacks_is_rounded_up_to_a_whole_cent() -> None:
    assert money.round_up_to_cents(Decimal("3.200001")) == Decimal("3.21")
    assert money.round_up_to_cents(Decimal("3.2")) == Decimal("3.20")
