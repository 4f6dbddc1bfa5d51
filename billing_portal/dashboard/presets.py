"""Amounts to choose from when adding credit, each with what it is charged as."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.models import Account
from accounts.money import format_omr, format_usd
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
    *, account: Account, minimum: Decimal, maximum: Decimal, chosen: Decimal | None = None
) -> tuple[Preset, ...]:
    """Offer four round amounts from the minimum up.

    `chosen` marks one; with None the second is marked, with an amount that is not offered none.
    """
    amounts = [each for each in _AMOUNTS if minimum <= each <= maximum][:_OFFERED] or [minimum]
    marked = amounts[min(1, len(amounts) - 1)] if chosen is None else chosen
    return tuple(
        _preset(charging.quote(each, account=account), is_chosen=each == marked) for each in amounts
    )


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
        label=f"${price.net:,f}",
        with_tax=tax,
        charged=format_omr(price.charged_amount.amount),
        button=(
            _("Pay %(amount)s") % {"amount": format_usd(price.amount)}
            if price.tax_rate
            else _("Add %(amount)s") % {"amount": format_usd(price.net)}
        ),
        is_chosen=is_chosen,
    )
