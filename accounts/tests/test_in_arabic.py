"""Figures, dates and recorded sentences as an Arabic reader sees them."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal

import pytest
from django.utils import translation

from accounts.dates import write_day, write_long_day, write_range
from accounts.money import format_omr, format_unit_price, format_usd
from accounts.quantities import write_price, write_quantity, write_used
from accounts.recorded_words import translated

#: A value among words of the other direction stands between these.
VALUE = "\u2068{}\u2069"
LEFT_TO_RIGHT_MARK = "\u200e"


@pytest.fixture(autouse=True)
def _arabic() -> Iterator[None]:
    with translation.override("ar"):
        yield


def test_an_amount_is_what_the_cards_statement_says() -> None:
    assert format_usd(Decimal("1234.5")) == "$1,234.50"
    assert format_omr(Decimal("38.12")) == "OMR 38.120"


@pytest.mark.parametrize("write", [format_usd, format_unit_price])
def test_a_minus_stays_before_its_amount(write: Callable[[Decimal], str]) -> None:
    assert write(Decimal("-5.25")) == f"{LEFT_TO_RIGHT_MARK}−$5.25"


@pytest.mark.parametrize(
    ("quantity", "written"),
    [
        ("0", "0 دقيقة"),
        ("1", "1 دقيقة"),
        ("3", "3 دقائق"),
        ("11", "11 دقيقة"),
        ("100", "100 دقيقة"),
        ("2.5", "2.5 دقيقة"),
    ],
)
def test_a_noun_follows_its_number(quantity: str, written: str) -> None:
    assert write_quantity(Decimal(quantity), "minute") == written


def test_prices_and_allowances_are_sentences() -> None:
    assert write_price(Decimal("0.004"), "1,000 tokens") == (
        f"{VALUE.format('$0.004')} لكل {VALUE.format('1,000 رمز')}"
    )
    assert write_used(Decimal(12), Decimal(100), "minute") == (
        f"{VALUE.format('12')} من {VALUE.format('100 دقيقة')}"
    )


def test_dates_are_those_of_the_cldr() -> None:
    day = date(2026, 11, 3)
    assert write_day(day) == write_long_day(day) == "3 نوفمبر 2026"
    assert write_range(day, date(2026, 12, 3)) == "3 نوفمبر – 3 ديسمبر 2026"


@pytest.mark.parametrize(
    ("recorded", "read"),
    [
        ("The card has expired.", "انتهت صلاحية البطاقة."),
        ("Growth plan", f"باقة {VALUE.format('النمو')}"),
        ("Support Plus plan", f"باقة {VALUE.format('Support Plus')}"),
        ("Refund R-7 of T-9", f"الاسترداد {VALUE.format('R-7')} من الدفعة {VALUE.format('T-9')}"),
        ("A note of staff", "A note of staff"),
        ("", ""),
    ],
)
def test_what_is_recorded_in_english_is_read_in_arabic(recorded: str, read: str) -> None:
    assert translated(recorded) == read


def test_a_sentence_within_a_sentence_is_read_too() -> None:
    inner = f"باقة {VALUE.format('النمو')}"
    assert translated("Unused: Growth plan") == f"غير مستخدم: {VALUE.format(inner)}"


def test_in_english_it_is_as_it_was_recorded() -> None:
    with translation.override("en"):
        assert translated("Unused: Growth plan") == "Unused: Growth plan"
        assert format_usd(Decimal("-5.25")) == "−$5.25"
