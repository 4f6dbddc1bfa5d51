"""Amounts to choose from when adding credit, each with what it is charged as."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.models import Account
from accounts.money import CENT, format_omr, format_usd, round_up_to_cents
from invoices import charging
from invoices.tax import label

_AMOUNTS = tuple(Decimal(n) for n in (10, 25, 50, 100, 250, 500, 1000, 2500, 5000))
_OFFERED = 4


@dataclass(frozen=True)
class Preset:
    """One amount: `$50`, charged as `OMR 19.250`; with a tax on it, `$52.50 with VAT 5 %`.

    `shown` is the whole amount, to be agreed to.
    """

    value: str
    shown: str
    label: str
    with_tax: str
    charged: str
    button: str
    is_chosen: bool


def build_presets(
    *,
    account: Account,
    balance: Decimal,
    minimum: Decimal,
    maximum: Decimal,
    chosen: Decimal | None = None,
) -> tuple[Preset, ...]:
    """Offer four round amounts from the minimum up; of a debt first what settles it.

    `chosen` marks one; with None the second is marked, or what settles the debt, with an amount
    that is not offered none.
    """
    least = above_zero(balance, minimum=minimum, maximum=maximum) if balance < 0 else minimum
    amounts = [each for each in _AMOUNTS if least <= each <= maximum]
    if least not in amounts and (balance < 0 or not amounts):
        amounts = [least, *amounts]
    amounts = amounts[:_OFFERED]
    proposed = amounts[0 if balance < 0 else min(1, len(amounts) - 1)]
    marked = proposed if chosen is None else chosen
    return tuple(
        _preset(charging.quote(each, account=account), is_chosen=each == marked) for each in amounts
    )


def above_zero(balance: Decimal, *, minimum: Decimal, maximum: Decimal) -> Decimal:
    """Return the least that may be bought and lifts a balance above zero; else the most."""
    return min(max(round_up_to_cents(-balance) + CENT, minimum), maximum)


def _preset(price: charging.Quote, *, is_chosen: bool) -> Preset:
    tax = (
        _("%(amount)s with %(tax)s")
        % {"amount": format_usd(price.amount), "tax": label(price.tax_rate)}
        if price.tax_rate
        else ""
    )
    return Preset(
        value=f"{price.net:.2f}",
        shown=f"{price.amount:.2f}",
        label=f"${price.net:,f}".removesuffix(".00"),
        with_tax=tax,
        charged=format_omr(price.charged_amount.amount),
        button=(
            _("Pay %(amount)s") % {"amount": format_usd(price.amount)}
            if price.tax_rate
            else _("Add %(amount)s") % {"amount": format_usd(price.net)}
        ),
        is_chosen=is_chosen,
    )
