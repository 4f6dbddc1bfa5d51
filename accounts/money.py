"""Exact money: rounding, conversion and how an amount is written (DESIGN.md section 4).

Amounts are Decimal or djmoney.Money and never float.
"""

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from django.utils.translation import get_language_bidi
from djmoney.money import Money

CENT = Decimal("0.01")
MILLIONTH = Decimal("0.000001")


def usd(amount: Decimal | int | str) -> Money:
    """Return `amount` dollars as Money. No rounding."""
    return Money(Decimal(amount), "USD")


def round_half_up(amount: Decimal, step: Decimal) -> Decimal:
    """Round `amount` to a multiple of `step`, halves away from zero."""
    return (amount / step).quantize(Decimal(1), rounding=ROUND_HALF_UP) * step


def to_cents(amount: Decimal) -> Decimal:
    """Round dollars half up to a cent."""
    return round_half_up(amount, CENT)


def to_millionths(amount: Decimal) -> Decimal:
    """Round dollars half up to a millionth, the precision of the ledger."""
    return round_half_up(amount, MILLIONTH)


def convert_to_omr(amount: Decimal, *, rate: Decimal, step: Decimal) -> Decimal:
    """Return what `amount` USD is charged as in OMR: half up to `step` (10 baisa).

    Stripe wants three-decimal amounts to end in 0 (docs.stripe.com/currencies, three-decimal).
    """
    return round_half_up(amount * rate, step).quantize(Decimal("0.001"))


def to_minor_units(amount: Money) -> int:
    """Return the whole number Stripe takes: cents for USD, baisa for OMR.

    Raises ValueError when the amount has more decimals than its currency.
    """
    factor = 1000 if amount.currency.code == "OMR" else 100
    minor = amount.amount * factor
    if minor != minor.to_integral_value():
        raise ValueError(f"{amount} is not a whole number of its smallest unit.")
    return int(minor)


def from_minor_units(minor: int, currency: str) -> Decimal:
    """Return the amount that Stripe writes as `minor`: cents of USD, baisa of OMR."""
    return Decimal(minor).scaleb(-3 if currency.upper() == "OMR" else -2)


def format_usd(amount: Decimal) -> str:
    """Write dollars for a person: `$1,234.50`, `−$3.20`.

    The same in every language, digits too (CLDR has 0 to 9 for Arabic without a country): it is
    what the card's statement says.

    Two decimals, but never a negative balance as `$0.00`: below half a cent it shows as many
    decimals as it takes, so that nobody wonders why services are paused at zero.
    """
    rounded = to_cents(amount)
    if amount < 0 and rounded == 0:
        digits = max(3, -amount.normalize().adjusted())
        smallest = amount.quantize(Decimal(1).scaleb(-min(digits, 6)), rounding=ROUND_HALF_UP)
        return f"{_minus()}${-smallest}"
    sign = _minus() if rounded < 0 else ""
    return f"{sign}${abs(rounded):,.2f}"


def format_usd_in_words(amount: Decimal) -> str:
    """Write dollars for the middle of a sentence: no line ends between the sign and the figure."""
    return format_usd(amount).replace("−$", "−\N{WORD JOINER}$")


def format_unit_price(amount: Decimal) -> str:
    """Write a price per unit: at least two decimals, up to eight, no trailing zeros after."""
    text = f"{abs(amount).normalize():f}"
    whole, _, fraction = text.partition(".")
    sign = _minus() if amount < 0 else ""
    return f"{sign}${int(whole):,}.{fraction.ljust(2, '0')}"


def format_omr(amount: Decimal) -> str:
    """Write rials: three decimals, `OMR 3.850`."""
    return f"OMR {amount:,.3f}"


def format_quantity(quantity: Decimal) -> str:
    """Write a quantity without trailing zeros: `12`, `0.5`, `1,250`."""
    return f"{quantity.normalize():,f}"


def round_up_to_cents(amount: Decimal) -> Decimal:
    """Round dollars up to a whole cent: what it takes to bring a balance to at least zero."""
    return (amount / CENT).to_integral_value(rounding=ROUND_CEILING) * CENT


def _minus() -> str:
    """A minus that stays before its amount: from right to left it would go behind it."""
    return "\N{LEFT-TO-RIGHT MARK}−" if get_language_bidi() else "−"
