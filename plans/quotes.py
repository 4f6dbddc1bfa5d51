"""Quotes: what somebody was shown is what is charged.

What is left of a period is counted in seconds, so an exact amount changes while it is being read. A
quote freezes its moment: it is shown, signed and carried by the page or by the caller of the API,
and for ten minutes what it is for is charged as it was at that moment.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.core import signing
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.models import Account
from invoices.charging import Quote

VALID_FOR = timedelta(minutes=10)
_SALT = "plans.quotes"


class QuoteExpired(ValidationError):
    """What was agreed to is not what would be charged: it must be looked at again."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__(_("The price has changed since it was shown. Please look at it again."))


@dataclass(frozen=True, slots=True)
class Agreed:
    """What somebody agreed to: dollars with tax, and rials, as priced at `moment`.

    `details` is what else was shown, condensed by whoever signed.
    """

    amount: Decimal
    charged_amount: Decimal
    moment: datetime
    details: str

    def check(self, price: Quote) -> None:
        """Raise QuoteExpired when `price` is another one."""
        if (self.amount, self.charged_amount) != (price.amount, price.charged_amount.amount):
            raise QuoteExpired


def sign(
    *, account: Account, subject: str, price: Quote, moment: datetime, details: str = ""
) -> str:
    """Return the quote of `subject`, such as `rental:phone_number:6`, for a form to carry."""
    return signing.dumps(
        {
            "account": str(account.pk),
            "subject": subject,
            "amount": str(price.amount),
            "charged_amount": str(price.charged_amount.amount),
            "moment": moment.isoformat(),
            "details": details,
        },
        salt=_SALT,
        compress=True,
    )


def read(token: str, *, account: Account, subject: str, now: datetime) -> Agreed:
    """Return what was agreed to. Raises QuoteExpired for what is old, forged, or of another."""
    try:
        quote = signing.loads(token, salt=_SALT)
    except signing.BadSignature as error:
        raise QuoteExpired from error
    moment = datetime.fromisoformat(quote["moment"])
    if (quote["account"], quote["subject"]) != (str(account.pk), subject):
        raise QuoteExpired
    if not timedelta(0) <= now - moment <= VALID_FOR:
        raise QuoteExpired
    return Agreed(
        amount=Decimal(quote["amount"]),
        charged_amount=Decimal(quote["charged_amount"]),
        moment=moment,
        details=quote["details"],
    )
