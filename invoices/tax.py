"""Tax: prices are net, and what the customer's country asks for is added on top.

Off unless settings.CHARGE_TAX is on. A transaction keeps the rate it was opened with: a change of
rate or country touches only those opened afterwards.
"""

from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext_noop

from accounts.models import Account
from accounts.money import format_quantity, to_cents
from accounts.recorded_words import Sentence

LABEL = Sentence(gettext_noop("%(name)s %(rate)s %%"))
#: The usual name of it (`TAX_NAME`).
USUAL_NAME = gettext_noop("VAT")

_HUNDRED = Decimal(100)


def rate_for(*, account: Account) -> Decimal:
    """Return the percentage added to what the account buys now; zero when it pays no tax."""
    if not settings.CHARGE_TAX:
        return Decimal(0)
    return Decimal(settings.TAX_RATES.get(str(account.country), 0))


def tax_on(net: Decimal, *, rate: Decimal) -> Decimal:
    """Return the tax of `net` USD at `rate` percent, half up to a cent."""
    return to_cents(net * rate / _HUNDRED)


def label(rate: Decimal) -> str:
    """Write the tax for a person: `VAT 5 %`."""
    return LABEL.write(name=settings.TAX_NAME, rate=format_quantity(rate))
