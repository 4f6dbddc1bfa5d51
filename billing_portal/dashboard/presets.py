"""Amounts to choose from when adding credit, each with what it is charged as."""

from dataclasses import dataclass
from decimal import Decimal

from accounts.money import format_omr, format_usd
from invoices import charging

_AMOUNTS = tuple(Decimal(n) for n in (10, 25, 50, 100, 250, 500, 1000, 2500, 5000))
_OFFERED = 4


@dataclass(frozen=True)
class Preset:
    """One amount: `$50`, charged as `OMR 19.250`."""

    value: str
    label: str
    charged: str
    button: str
    is_chosen: bool


def build_presets(
    *, minimum: Decimal, maximum: Decimal, chosen: Decimal | None = None
) -> tuple[Preset, ...]:
    """Offer four round amounts from the minimum up.

    `chosen` marks one; with None the second is marked, with an amount that is not offered none.
    """
    amounts = [each for each in _AMOUNTS if minimum <= each <= maximum][:_OFFERED] or [minimum]
    marked = amounts[min(1, len(amounts) - 1)] if chosen is None else chosen
    return tuple(
        Preset(
            value=f"{each:.2f}",
            label=f"${each:,f}",
            charged=charged_as(each),
            button=f"Add {format_usd(each)}",
            is_chosen=each == marked,
        )
        for each in amounts
    )


def charged_as(amount: Decimal) -> str:
    """What a payment of `amount` dollars takes from the card today: `OMR 19.250`."""
    return format_omr(charging.quote(amount).amount)
