"""Amounts are whole numbers of a currency's smallest unit; no float anywhere."""

from __future__ import annotations

from .errors import ParameterError

ZERO_DECIMAL = frozenset(
    (
        "bif",
        "clp",
        "djf",
        "gnf",
        "jpy",
        "kmf",
        "krw",
        "mga",
        "pyg",
        "rwf",
        "ugx",
        "vnd",
        "vuv",
        "xaf",
        "xof",
        "xpf",
    )
)
THREE_DECIMAL = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
TWO_DECIMAL = frozenset(
    (
        "aed",
        "aud",
        "brl",
        "cad",
        "chf",
        "cny",
        "czk",
        "dkk",
        "egp",
        "eur",
        "gbp",
        "hkd",
        "huf",
        "idr",
        "ils",
        "inr",
        "mad",
        "mxn",
        "myr",
        "nok",
        "nzd",
        "php",
        "pkr",
        "pln",
        "qar",
        "ron",
        "sar",
        "sek",
        "sgd",
        "thb",
        "try",
        "twd",
        "usd",
        "zar",
    )
)
MINIMUM = {"usd": 50, "eur": 50, "gbp": 30, "aed": 200, "jpy": 50, "omr": 200}
MAXIMUM = 99_999_999


def decimals(currency: str) -> int:
    """How many of the amount's digits stand behind the point."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def display(amount: int, currency: str) -> str:
    """`3850 omr` → `3.850 OMR`."""
    places = decimals(currency)
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(places + 1, "0")
    number = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"{sign}{number} {currency.upper()}"


def check_currency(currency: str) -> str:
    """Lower-cased, and one that Stripe knows."""
    lowered = currency.lower()
    if lowered not in ZERO_DECIMAL | THREE_DECIMAL | TWO_DECIMAL:
        raise ParameterError(f"Invalid currency: {currency}.", param="currency")
    return lowered


def check_step(amount: int, currency: str, param: str = "amount") -> None:
    """Three-decimal currencies must end in 0 in their smallest unit."""
    if currency in THREE_DECIMAL and amount % 10:
        raise ParameterError(
            f"Invalid {param}: amounts in {currency.upper()} must be divisible by 10 "
            f"(the last digit must be 0), got {amount}.",
            code="parameter_invalid_integer",
            param=param,
        )


def check_amount(amount: int, currency: str, param: str = "amount") -> None:
    """What may be charged at all."""
    if amount < 1:
        raise ParameterError(
            "Invalid positive integer", code="parameter_invalid_integer", param=param
        )
    check_step(amount, currency, param)
    least = MINIMUM.get(currency, 1)
    if amount < least:
        raise ParameterError(
            f"Amount must be at least {display(least, currency)}",
            code="amount_too_small",
            param=param,
        )
    if amount > MAXIMUM:
        raise ParameterError(
            f"Amount must be no more than {display(MAXIMUM, currency)}",
            code="amount_too_large",
            param=param,
        )
