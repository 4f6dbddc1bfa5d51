"""Top-ups: credit bought by the customer, on a hosted page or with the saved card."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import cards
from accounts.models import Account, Card, User
from accounts.money import format_usd, to_cents
from invoices import charging, checkout
from invoices.charging import NewLine
from invoices.models import Purpose, Status, Transaction
from wallet import ledger, topup_limits
from wallet.models import EntryKind
from wallet.reversals import CreditFollowsPayment

DESCRIPTION = gettext_noop("Credit top-up")

#: Below this no plan may set its minimum: Stripe charges nothing smaller in most currencies (USD).
SMALLEST_TOP_UP = Decimal("1.00")


@dataclass(frozen=True, slots=True)
class Quote:
    """What a top-up comes to, shown before the customer agrees. USD."""

    price: charging.Quote
    balance_after: Decimal


def check_amount(amount: Decimal, *, minimum: Decimal) -> Decimal:
    """Return `amount` (USD) when it may be bought.

    Raises ValidationError, saying what may be entered, below the plan's minimum, above
    settings.MAXIMUM_TOP_UP or with fractions of a cent.
    """
    minimum = max(minimum, SMALLEST_TOP_UP)
    if not amount.is_finite() or amount < minimum:
        raise ValidationError(_("Enter at least %(minimum)s.") % {"minimum": format_usd(minimum)})
    if amount > settings.MAXIMUM_TOP_UP:
        raise ValidationError(
            _("Enter at most %(maximum)s.") % {"maximum": format_usd(settings.MAXIMUM_TOP_UP)}
        )
    if amount != to_cents(amount):
        raise ValidationError(_("Enter whole cents, such as 25.50."))
    return amount


def quote(*, account: Account, amount: Decimal) -> Quote:
    """Return what topping up by `amount` USD, net, comes to at this moment's rates."""
    return Quote(
        price=charging.quote(amount, account=account),
        balance_after=account.wallet.balance + amount,
    )


def charge_saved_card(
    *,
    account: Account,
    amount: Decimal,
    minimum: Decimal,
    by: User | None,
    now: datetime,
    card: Card | None = None,
    request_key: str = "",
    is_on_session: bool = False,
) -> Transaction:
    """Charge `amount` USD to `card`, or to the default card, and credit it once it is paid.

    Returns the transaction: paid, failed, or processing when Stripe gave no answer, or while the
    customer, there with `is_on_session`, has to answer their bank. Asked again
    under the same `request_key`, at whatever moment, it returns the same one, unless that failed:
    then it tries anew. Raises ValidationError for an amount that can't be bought, without a card,
    or while another one-click top-up is under way (a second click must not be a second charge);
    TooManyTopUps when the hour's are used up.
    """
    check_amount(amount, minimum=minimum)
    card = card or cards.default_card(account=account)
    if card is None:
        raise ValidationError(_("Add a payment method first, or pay on the payment page."))
    same_request = Transaction.objects.filter(account=account, request_key=request_key)
    same_request = same_request.exclude(request_key="")
    try:
        with database.atomic(durable=True):
            same_request.filter(status=Status.FAILED).update(request_key="")
            if not same_request.exists():
                topup_limits.check(account=account, now=now)
            transaction = charging.open_transaction(
                account=account,
                purpose=Purpose.TOP_UP,
                lines=[NewLine(DESCRIPTION, amount)],
                status=Status.PROCESSING,
                card=card,
                obligation="top_up",
                request_key=request_key,
                is_on_session=is_on_session,
                by=by,
                now=now,
            )
    except charging.AlreadyOpen:
        if (earlier := same_request.first()) is None:
            raise
        return earlier
    return charging.execute(transaction_id=transaction.pk, now=now)


def open_payment_page(
    *,
    account: Account,
    amount: Decimal,
    minimum: Decimal,
    return_path: str,
    cancel_path: str,
    by: User | None,
    now: datetime,
) -> Transaction:
    """Open a hosted page on which the customer pays `amount` USD; see `checkout_url`.

    Raises ValidationError for an amount that can't be bought, TooManyTopUps when the hour's are
    used up, GatewayUnavailable when Stripe can't be reached, GatewayRefused when it opens no page.
    """
    check_amount(amount, minimum=minimum)
    topup_limits.check(account=account, now=now)
    return checkout.open_page(
        account=account,
        purpose=Purpose.TOP_UP,
        lines=[NewLine(DESCRIPTION, amount)],
        return_url=checkout.absolute(return_path),
        cancel_url=checkout.absolute(cancel_path),
        by=by,
        now=now,
    )


class TopUpFulfilment(CreditFollowsPayment):
    """A paid top-up becomes credit."""

    announces_failure = False

    def why_unwanted(self, *, transaction: Transaction, now: datetime) -> str:
        """Credit is always wanted by who pays for it."""
        return ""

    def paid(self, *, transaction: Transaction, now: datetime) -> None:
        """Credit the wallet with what was bought."""
        ledger.credit_payment(
            transaction=transaction, kind=EntryKind.TOP_UP, description=DESCRIPTION, now=now
        )

    def failed(self, *, transaction: Transaction, now: datetime) -> None:
        """Nothing was bought."""
