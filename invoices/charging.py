"""Charging a saved card: open → gateway → settle.

`open_transaction` records the intent and is committed before anything else happens; `execute`
asks Stripe under the transaction's own key and settles whatever it learns. A process may die
between any two lines: the row says `processing`, and the sweeper calls `execute` again, which
asks under the same key and gets the same answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db import transaction as database
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from djmoney.money import Money

from accounts import gateway
from accounts.event_log import happened
from accounts.models import Account, Card, CardStatus, User
from accounts.money import convert_to_omr, usd
from accounts.prepared import fetch_one
from accounts.recorded_words import Sentence
from accounts.stripe_objects import Outcome, Payment
from invoices import confirmations, settlement, tax
from invoices.models import (
    OPEN_STATUSES,
    Line,
    Purpose,
    Status,
    Transaction,
)
from invoices.numbers import new_number

log = structlog.get_logger(__name__)

_UNDER_WAY = gettext_lazy("A payment for this is under way. Wait for its outcome.")
PAID_BEFORE = Sentence(gettext_noop("Your earlier payment %(number)s was confirmed meanwhile."))


class AlreadyOpen(ValidationError):
    """An attempt at the same obligation is open: its outcome must be known first."""


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to be: `amount` USD in cents, `unit_price` USD."""

    description: str
    amount: Decimal
    quantity: Decimal = Decimal(1)
    unit: str = ""
    unit_price: Decimal | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None


def total_of(lines: Iterable[NewLine]) -> Decimal:
    """Return the sum of the lines: USD, net."""
    return sum((line.amount for line in lines), Decimal(0))


@dataclass(frozen=True, slots=True)
class Quote:
    """What `net` USD comes to for an account, as it is shown before it agrees and then charged.

    `amount` is net and tax, USD; `tax_rate` is percent.
    """

    net: Decimal
    tax_rate: Decimal
    tax: Decimal
    amount: Decimal
    charged_amount: Money
    exchange_rate: Decimal


def quote(net: Decimal, *, account: Account) -> Quote:
    """Return what `net` USD comes to for `account` at this moment: tax on top, and in rials."""
    tax_rate = tax.rate_for(account=account)
    added = tax.tax_on(net, rate=tax_rate)
    rials = convert_to_omr(net + added, rate=settings.USD_TO_OMR, step=settings.CHARGE_STEP)
    return Quote(
        net=net,
        tax_rate=tax_rate,
        tax=added,
        amount=net + added,
        charged_amount=Money(rials, settings.CHARGE_CURRENCY),
        exchange_rate=settings.USD_TO_OMR,
    )


def open_transaction(
    *,
    account: Account,
    purpose: Purpose,
    lines: Sequence[NewLine],
    status: Status,
    now: datetime,
    card: Card | None = None,
    subject_id: int | None = None,
    obligation: str = "",
    request_key: str = "",
    by: User | None = None,
    is_on_session: bool = False,
) -> Transaction:
    """Record the intent to be paid the sum of `lines` (USD), at this moment's rate.

    Lines are net: a tax that the account pays is added as a line of its own. `is_on_session` says
    that the customer is there and can answer their bank (3-D Secure).

    Call it inside the transaction that makes the payment due. Raises AlreadyOpen while another
    attempt at `obligation` is open, or when `request_key` led to one before, and ValidationError
    without a card that can be charged.
    """
    transaction = _new(
        NewCharge(
            account=account,
            purpose=purpose,
            lines=lines,
            card=card,
            subject_id=subject_id,
            obligation=obligation,
        ),
        status=status,
        now=now,
    )
    transaction.request_key = request_key
    transaction.is_on_session = is_on_session
    transaction.opened_by = by
    try:
        with database.atomic():
            _record([transaction], [lines])
    except IntegrityError as error:
        if "one_open_" in str(error) or "one_attempt_per_request" in str(error):
            raise AlreadyOpen(_UNDER_WAY) from error
        raise
    return transaction


@dataclass(frozen=True, slots=True)
class NewCharge:
    """What a saved card is to be charged for: the sum of `lines`, USD, net."""

    account: Account
    purpose: Purpose
    lines: Sequence[NewLine]
    card: Card | None
    subject_id: int | None = None
    obligation: str = ""


@database.atomic
def open_many(charges: Sequence[NewCharge], *, now: datetime) -> list[Transaction]:
    """Record the intents to charge saved cards, in as many statements as open_transaction for one.

    Call it as open_transaction, and holding a lock that keeps anybody else from opening an attempt
    at these obligations. Raises ValidationError and IntegrityError, and then none is recorded.
    """
    transactions = [_new(charge, status=Status.PROCESSING, now=now) for charge in charges]
    _record(transactions, [charge.lines for charge in charges])
    return transactions


def _new(charge: NewCharge, *, status: Status, now: datetime) -> Transaction:
    """Return a transaction that is not saved yet. Raises ValidationError as open_transaction."""
    account, card = charge.account, charge.card
    if card is None and status == Status.PROCESSING:
        # Without one nothing would ever be asked, and the obligation would stay open for good.
        raise ValidationError(_("Add a payment method first."))
    if card is not None and (card.status != CardStatus.VERIFIED or card.account_id != account.pk):
        raise ValidationError(_("This card can't be charged. Choose another one."))
    quoted = quote(total_of(charge.lines), account=account)
    return Transaction(
        account=account,
        number=new_number("T"),
        purpose=charge.purpose,
        status=status,
        subject_id=charge.subject_id,
        obligation=charge.obligation,
        amount=usd(quoted.amount),
        tax_rate=quoted.tax_rate,
        tax_amount=usd(quoted.tax),
        charged_amount=quoted.charged_amount,
        exchange_rate=quoted.exchange_rate,
        card=card,
        card_brand=card.brand if card else "",
        card_last4=card.last4 if card else "",
        created_at=now,
    )


def _record(transactions: Sequence[Transaction], lines: Sequence[Sequence[NewLine]]) -> None:
    """Insert transactions with their lines."""
    Transaction.objects.bulk_create(transactions)
    # Only now: whoever settled the attempt before has committed, or this one is refused.
    for transaction, earlier in confirmations.to_give_way(transactions):
        transaction.supersedes = earlier
        transaction.save(update_fields=["supersedes"])
    Line.objects.bulk_create(
        row
        for transaction, of_one in zip(transactions, lines, strict=True)
        for row in _lines(transaction, of_one)
    )
    for transaction in transactions:
        happened(
            "transaction_opened",
            account=transaction.account_id,
            transaction=transaction.number,
            purpose=transaction.purpose,
            charged=transaction.charged_amount,
        )


def _lines(transaction: Transaction, lines: Sequence[NewLine]) -> list[Line]:
    """Return the rows of `lines`, and last of all the tax."""
    rows = [
        Line(
            transaction=transaction,
            position=position,
            description=line.description,
            quantity=line.quantity,
            unit=line.unit,
            unit_price=usd(line.amount if line.unit_price is None else line.unit_price),
            amount=usd(line.amount),
            period_start=line.period_start,
            period_end=line.period_end,
        )
        for position, line in enumerate(lines, start=1)
    ]
    if transaction.tax_rate:
        rows.append(
            Line(
                transaction=transaction,
                position=len(rows) + 1,
                description=tax.label(transaction.tax_rate),
                unit_price=transaction.tax_amount,
                amount=transaction.tax_amount,
                is_tax=True,
            )
        )
    return rows


def check_none_open(*, account: Account, obligation: str) -> None:
    """Raise AlreadyOpen while an attempt at `obligation` is open."""
    attempts = Transaction.objects.filter(account=account, obligation=obligation)
    if attempts.filter(status__in=OPEN_STATUSES).exists():
        raise AlreadyOpen(_UNDER_WAY)


_STAND = """
SELECT status, asked_at, stripe_payment_intent_id FROM invoices_transaction WHERE id = %(id)s
"""


def execute(*, transaction_id: int, now: datetime) -> Transaction:
    """Charge the card of a `processing` transaction and settle the answer.

    Safe to call any number of times. When Stripe gives no answer the transaction stays
    `processing`. An earlier attempt at the same obligation that waits for its customer's
    confirmation is given up first; was it paid after all, nothing is charged. Never call it inside
    a database transaction.
    """
    transaction = Transaction.objects.select_related("account", "card").get(pk=transaction_id)
    return _execute(transaction, now)


def execute_opened(*, transaction: Transaction, now: datetime) -> Transaction:
    """As execute, for who opened it a moment ago: only what may have changed is read again."""
    row = fetch_one(_STAND, {"id": transaction.pk})
    assert row is not None
    transaction.status, transaction.asked_at, transaction.stripe_payment_intent_id = row
    return _execute(transaction, now)


def _execute(transaction: Transaction, now: datetime) -> Transaction:
    if transaction.status != Status.PROCESSING or transaction.card is None:
        return transaction
    if transaction.asked_at is None:
        try:
            earlier = confirmations.give_way(transaction=transaction, now=now)
        except (gateway.GatewayUnavailable, gateway.GatewayRefused):
            log.warning("earlier_attempt_not_given_up", transaction=transaction.number)
            return transaction
        if earlier is not None:
            return settlement.settle(
                transaction_id=transaction.pk, payment=_paid_before(earlier), now=now
            )
    is_first = transaction.asked_at is None and transaction.supersedes_id is None
    if not is_first:
        # Before it is asked: from now on the earlier attempt must not be given up any more.
        _note_asked(transaction, now)
    is_key_remembered = now - transaction.created_at < gateway.KEY_LIFETIME
    try:
        if transaction.stripe_payment_intent_id:
            # It waits for the customer: under its key Stripe would only repeat its first answer.
            _, payment = gateway.retrieve_payment(transaction.stripe_payment_intent_id)
        elif is_key_remembered:
            payment = _charge(transaction, transaction.card)
        else:
            payment = gateway.find_payment(transaction_number=transaction.number)
    except gateway.GatewayUnavailable:
        _note_asked(transaction, now)
        log.warning("charge_unanswered", transaction=transaction.number)
        return transaction
    except gateway.GatewayRefused as refusal:
        if transaction.stripe_payment_intent_id or not is_key_remembered:
            # Not the charge was refused but the question: nothing is known of the charge.
            log.error("lookup_refused", transaction=transaction.number, why=str(refusal))
            return transaction
        log.error("charge_refused", transaction=transaction.number, why=str(refusal))
        payment = Payment(
            Outcome.DECLINED,
            failure_code="refused",
            failure_message=gettext_noop(
                "The card could not be charged. Add it again or use another one."
            ),
        )
    settled = settlement.settle(
        transaction_id=transaction.pk, payment=payment, now=now, asked_at=now
    )
    if settled.is_open:
        _note_asked(settled, now)
    return settled


def _note_asked(transaction: Transaction, now: datetime) -> None:
    Transaction.objects.filter(pk=transaction.pk, status=Status.PROCESSING).update(asked_at=now)


def _paid_before(earlier: Transaction) -> Payment:
    """What becomes of an attempt when an earlier one was confirmed at this very moment."""
    return Payment(
        Outcome.CANCELED,
        failure_code="paid_before",
        failure_message=PAID_BEFORE.write(number=earlier.number),
    )


def _charge(transaction: Transaction, card: Card) -> Payment:
    return gateway.charge_card(
        customer_id=transaction.account.stripe_customer_id,
        payment_method_id=card.stripe_payment_method_id,
        amount=transaction.charged_amount,
        description=f"{settings.SELLER['name']} {transaction.number}",
        metadata=gateway_metadata(transaction),
        idempotency_key=f"charge-{transaction.number}",
        on_session=transaction.is_on_session,
    )


def gateway_metadata(transaction: Transaction) -> dict[str, str]:
    """What Stripe keeps with a payment, so that each finds the other."""
    return {
        "transaction": transaction.number,
        "account": str(transaction.account_id),
        "purpose": transaction.purpose,
    }
