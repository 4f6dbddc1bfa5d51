"""Quantities and prices per unit in words."""

import re
from decimal import Decimal

from accounts.money import format_quantity, format_unit_price

_SCALED = re.compile(r"(?P<scale>[\d,]+) (?P<unit>\w+)")
_WORD = re.compile(r"[a-z]+")


def write_quantity(quantity: Decimal, unit: str) -> str:
    """`12 minutes`, `1 seat`, `12.5 GB`; 412 units of `1,000 tokens` are `412,000 tokens`."""
    number, noun = split_unit(quantity, unit)
    return f"{number} {noun}"


def write_used(used: Decimal, included: Decimal, unit: str) -> str:
    """`412 of 500 minutes`."""
    return f"{split_unit(used, unit)[0]} of {write_quantity(included, unit)}"


def write_price(price: Decimal, unit: str) -> str:
    """`$0.10 per minute`."""
    return f"{format_unit_price(price)} per {unit}"


def split_unit(quantity: Decimal, unit: str) -> tuple[str, str]:
    """Return the number and the noun to write for a quantity of this unit."""
    scaled = _SCALED.fullmatch(unit)
    if scaled:
        quantity *= int(scaled["scale"].replace(",", ""))
        return format_quantity(quantity), scaled["unit"]
    is_plural = quantity != 1 and _WORD.fullmatch(unit)
    return format_quantity(quantity), f"{unit}s" if is_plural else unit
