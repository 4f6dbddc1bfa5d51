"""Quantities and prices per unit in words."""

import re
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from accounts.money import format_quantity, format_unit_price
from accounts.recorded_words import Sentence, recognise

_SCALED = re.compile(r"(?P<scale>[\d,]+) (?P<unit>\w+)")
#: Of a line, as it is recorded for an e-mail: `3 numbers at $2.50`.
QUANTITY_AT = Sentence(gettext_noop("%(quantity)s at %(price)s"))

_WORD = re.compile(r"[a-z]+")
_WRITTEN = re.compile(r"(?P<number>\d[\d,]*(\.\d+)?) (?P<noun>[\w-]+)")
#: The units of the catalogue that we sell, by their plural.
_SINGULARS = {
    "minutes": "minute",
    "detections": "detection",
    "tokens": "tokens",
    "vectors": "vectors",
    "numbers": "number",
    "seats": "seat",
    "slots": "slot",
    "licences": "licence",
    "MB": "MB",
    "GB": "GB",
    "GB-month": "GB-month",
}


def write_quantity(quantity: Decimal, unit: str) -> str:
    """`12 minutes`, `1 seat`, `12.5 GB`; 412 units of `1,000 tokens` are `412,000 tokens`."""
    number, noun = split_unit(quantity, unit)
    return f"{number} {noun}"


def write_used(used: Decimal, included: Decimal, unit: str) -> str:
    """`412 of 500 minutes`."""
    return _("%(used)s of %(included)s") % {
        "used": split_unit(used, unit)[0],
        "included": write_quantity(included, unit),
    }


def write_price(price: Decimal, unit: str) -> str:
    """`$0.10 per minute`."""
    scaled = _SCALED.fullmatch(unit)
    each = (
        f"{scaled['scale']} {_noun(_IN_A_THOUSAND, scaled['unit'])}" if scaled else _noun(1, unit)
    )
    return _("%(price)s per %(unit)s") % {"price": format_unit_price(price), "unit": each}


def write_monthly_price(price: Decimal, unit: str) -> str:
    """`$2.50 per number a month`."""
    return _("%(price)s per %(unit)s a month") % {
        "price": format_unit_price(price),
        "unit": _noun(1, unit),
    }


def split_unit(quantity: Decimal, unit: str) -> tuple[str, str]:
    """Return the number and the noun to write for a quantity of this unit."""
    scaled = _SCALED.fullmatch(unit)
    if scaled:
        quantity *= int(scaled["scale"].replace(",", ""))
        unit = scaled["unit"]
    return format_quantity(quantity), _noun(quantity, unit)


#: The plural of a fraction, in the languages that have one of their own: that of many.
_IN_A_THOUSAND = Decimal(1000)


def _noun(quantity: Decimal | int, unit: str) -> str:
    """The unit's noun for a quantity: of the catalogue that we sell, in the reader's language."""
    n = int(quantity) if quantity == int(quantity) else int(_IN_A_THOUSAND)
    match unit:
        case "minute":
            return ngettext("minute", "minutes", n)
        case "detection":
            return ngettext("detection", "detections", n)
        case "tokens":
            return ngettext("tokens", "tokens", n)
        case "vectors":
            return ngettext("vectors", "vectors", n)
        case "number":
            return ngettext("number", "numbers", n)
        case "seat":
            return ngettext("seat", "seats", n)
        case "slot":
            return ngettext("slot", "slots", n)
        case "licence":
            return ngettext("licence", "licences", n)
        case "MB":
            return _("MB")
        case "GB":
            return _("GB")
        case "GB-month":
            return _("GB-month")
    return f"{unit}s" if n != 1 and _WORD.fullmatch(unit) else unit


@recognise
def _quantity(recorded: str) -> str | None:
    """`3 numbers`, as write_quantity has written it in English."""
    match = _WRITTEN.fullmatch(recorded)
    if match is None:
        return None
    number, noun = match["number"], match["noun"]
    unit = noun if noun in _SINGULARS.values() else _SINGULARS.get(noun, "")
    return f"{number} {_noun(Decimal(number.replace(',', '')), unit)}" if unit else None
