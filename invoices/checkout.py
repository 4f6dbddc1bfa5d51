"""Hosted payment pages (Stripe Checkout), and asking Stripe how any open transaction stands."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction as database
from django.db.models import Q

from accounts import cards, gateway
from accounts.models import Account, User
from accounts.stripe_objects import CheckoutSession
from invoices import charging, confirmations, settlement
from invoices.charging import NewLine
from invoices.models import OPEN_STATUSES, Purpose, Status, Transaction

log = structlog.get_logger(__name__)

#: A customer who wants to know has Stripe asked no more often than this.
CHECK_AGAIN_EVERY = timedelta(seconds=10)


def open_page(
    *,
    account: Account,
    purpose: Purpose,
    lines: Sequence[NewLine],
    return_url: str,
    cancel_url: str,
    by: User | None,
    now: datetime,
) -> Transaction:
    """Open a hosted payment page and return its transaction with `checkout_url` set.

    `return_url` is where the customer comes back to; Stripe fills in {CHECKOUT_SESSION_ID}.
    Raises GatewayUnavailable, GatewayRefused; the transaction then stays *Checkout* without a page,
    which can't be paid, and the sweeper expires it.
    """
    cards.ensure_customer(account=account)
    with database.atomic(durable=True):
        transaction = charging.open_transaction(
            account=account, purpose=purpose, lines=lines, status=Status.CHECKOUT, by=by, now=now
        )
    session = _open_session(transaction, return_url=return_url, cancel_url=cancel_url)
    Transaction.objects.filter(pk=transaction.pk, status=Status.CHECKOUT).update(
        stripe_checkout_session_id=session.id,
        checkout_url=session.url,
        expires_at=session.expires_at,
        # Stripe may take longer than the sweeper waits: the page is open all the same.
        expired_at=None,
    )
    transaction.refresh_from_db()
    return transaction


def _open_session(transaction: Transaction, *, return_url: str, cancel_url: str) -> CheckoutSession:
    line = transaction.lines.order_by("position")[0]
    return gateway.open_checkout(
        customer_id=transaction.account.stripe_customer_id,
        amount=transaction.charged_amount,
        description=f"{line.description} ({transaction.amount.amount} USD)",
        metadata=charging.gateway_metadata(transaction),
        success_url=return_url,
        cancel_url=cancel_url,
        idempotency_key=f"checkout-{transaction.number}",
    )


def refresh(*, transaction_id: int, now: datetime) -> Transaction:
    """Ask Stripe how a transaction stands that is open or can be confirmed, and settle its answer.

    Called when the customer returns or wants to know, when a webhook says that something happened,
    and by the sweeper. When Stripe gives no answer nothing changes. Also about a page marked
    expired: the bank may have taken the money in its last second.
    """
    transaction = Transaction.objects.get(pk=transaction_id)
    if transaction.status == Status.PROCESSING:
        return charging.execute(transaction_id=transaction_id, now=now)
    if transaction.status == Status.FAILED:
        return confirmations.refresh(transaction=transaction, now=now)
    if transaction.status != Status.CHECKOUT:
        return transaction
    if not transaction.stripe_checkout_session_id:
        return _expire(transaction, now)
    Transaction.objects.filter(pk=transaction_id, status=Status.CHECKOUT).update(asked_at=now)
    try:
        session = gateway.retrieve_checkout(transaction.stripe_checkout_session_id)
    except gateway.GatewayUnavailable:
        log.warning("checkout_unanswered", transaction=transaction.number)
        return transaction
    except gateway.GatewayRefused as refusal:
        log.error("checkout_unknown_to_stripe", transaction=transaction.number, why=str(refusal))
        return _expire(transaction, now)
    transaction = settlement.settle(transaction_id=transaction_id, payment=session.payment, now=now)
    if session.is_expired and transaction.status == Status.CHECKOUT:
        return _expire(transaction, now)
    return transaction


def _expire(transaction: Transaction, now: datetime) -> Transaction:
    """Mark a page that can't be paid any more; it stays *Checkout* in the history.

    Not when its page has opened since `transaction` was read.
    """
    Transaction.objects.filter(
        pk=transaction.pk,
        status=Status.CHECKOUT,
        expired_at__isnull=True,
        stripe_checkout_session_id=transaction.stripe_checkout_session_id,
    ).update(expired_at=now)
    transaction.refresh_from_db()
    return transaction


def check_again(*, transaction_id: int, now: datetime) -> Transaction:
    """Ask Stripe at once because the customer wants to know, also about a page marked expired.

    At most once in CHECK_AGAIN_EVERY for a transaction, however often it is wanted.
    """
    asked_long_ago = Q(asked_at__isnull=True) | Q(asked_at__lte=now - CHECK_AGAIN_EVERY)
    claimed = Transaction.objects.filter(
        asked_long_ago, pk=transaction_id, status__in=OPEN_STATUSES
    ).update(asked_at=now)
    if not claimed:
        return Transaction.objects.get(pk=transaction_id)
    return refresh(transaction_id=transaction_id, now=now)


def absolute(path: str) -> str:
    """Return the full address of a path of the portal, for Stripe to send customers back to."""
    return f"{settings.PORTAL_URL}{path}"
