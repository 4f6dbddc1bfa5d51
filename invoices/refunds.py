"""Refunding a payment to its card: open → gateway → settle, as a charge is made.

`open_refund` records the intent and is committed before anything else happens; `execute` asks
Stripe under the refund's own key and settles the answer. A process may die between any two lines:
the row says `pending`, and the sweeper goes on from there.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction as database
from djmoney.money import Money

from accounts import gateway, reasons
from accounts.models import AuditEvent, User
from accounts.money import format_usd, to_cents, usd
from accounts.staff_limits import refund_limit
from accounts.stripe_objects import StripeRefund
from invoices import disputes, refund_settlement
from invoices.models import (
    DisputeStatus,
    Refund,
    RefundOrigin,
    RefundStatus,
    Status,
    Transaction,
)
from invoices.numbers import new_number
from invoices.proportions import Portion, part_of_amount

log = structlog.get_logger(__name__)

_DISPUTE_IS_OPEN = (
    "The customer's bank disputes this payment and has taken its money back. Wait for the outcome: "
    "a refund now would pay twice."
)
_DISPUTED = {
    DisputeStatus.OPENED: _DISPUTE_IS_OPEN,
    DisputeStatus.UNDER_REVIEW: _DISPUTE_IS_OPEN,
    DisputeStatus.LOST: "The dispute was lost: the customer has the money of this payment already.",
}


@dataclass(frozen=True, slots=True)
class Quote:
    """What a refund comes to. `amount` and its `tax` are USD, `charged_amount` is what is paid."""

    amount: Decimal
    tax: Decimal
    charged_amount: Money
    left_after: Decimal


def why_not(transaction: Transaction) -> str:
    """Say why nothing of a transaction can be refunded now, or "" when something can."""
    if transaction.status != Status.PAID:
        return "Only a paid transaction can be refunded."
    if (dispute := disputes.holding(transaction)) is not None:
        return _DISPUTED[DisputeStatus(dispute.status)]
    if amount_left(transaction) <= 0:
        return "All of it is refunded already."
    return ""


def amount_left(transaction: Transaction) -> Decimal:
    """Return how much (USD) of a paid transaction no refund gives back yet."""
    return refund_settlement.left_of(transaction).amount


def quote(*, transaction: Transaction, amount: Decimal) -> Quote:
    """Return what refunding `amount` USD comes to at the rate of the payment.

    Raises ValidationError, saying what may be entered.
    """
    if refusal := why_not(transaction):
        raise ValidationError(refusal)
    left = refund_settlement.left_of(transaction)
    part = _part(transaction, amount, left)
    return Quote(
        amount=part.amount,
        tax=part.tax,
        charged_amount=Money(part.charged, transaction.charged_amount.currency),
        left_after=left.amount - part.amount,
    )


def _part(transaction: Transaction, amount: Decimal, left: Portion) -> Portion:
    if not amount.is_finite() or amount <= 0 or amount > left.amount:
        raise ValidationError({"amount": f"Enter an amount up to {format_usd(left.amount)}."})
    if amount != to_cents(amount):
        raise ValidationError({"amount": "Enter whole cents, such as 25.50."})
    try:
        return part_of_amount(
            amount,
            whole=refund_settlement.whole_of(transaction),
            left=left,
            step=settings.CHARGE_STEP,
        )
    except ValueError as error:
        raise ValidationError(
            {
                "amount": "A card takes steps of 10 baisa (about 3 cents). "
                f"Enter more, or all of {format_usd(left.amount)}."
            }
        ) from error


def make_refund(
    *,
    transaction_id: int,
    amount: Decimal,
    reason: str,
    by: User,
    now: datetime,
    request_key: str = "",
) -> Refund:
    """Pay `amount` USD of a paid transaction back to its card.

    Returns the refund: succeeded, failed, or pending when Stripe gave no answer. Asked again under
    the same `request_key` it returns the same one. Raises ValidationError, by field, for an amount
    that can't be refunded or without a reason.
    """
    refund = open_refund(
        transaction_id=transaction_id,
        amount=amount,
        reason=reason,
        by=by,
        now=now,
        request_key=request_key,
    )
    return execute(refund_id=refund.pk, now=now)


def open_refund(
    *,
    transaction_id: int,
    amount: Decimal,
    reason: str,
    by: User,
    now: datetime,
    request_key: str = "",
) -> Refund:
    """Record the intent to refund `amount` USD and commit it; see make_refund."""
    with database.atomic(durable=True):
        return record(
            transaction=refund_settlement.lock(transaction_id),
            amount=amount,
            reason=reason,
            by=by,
            now=now,
            request_key=request_key,
        )


def record(
    *,
    transaction: Transaction,
    amount: Decimal,
    reason: str,
    by: User,
    now: datetime,
    request_key: str = "",
    approver: User | None = None,
) -> Refund:
    """Record the intent to refund `amount` USD of a transaction that the caller has locked.

    `approver` is the second person who agreed to it. Once that is committed, call execute().
    Raises ValidationError, also when it is beyond what `by` refunds alone and nobody approved it.
    """
    reason = reasons.checked(reason)
    if request_key:
        earlier = transaction.refunds.filter(request_key=request_key).first()
        if earlier is not None:
            return earlier
    asked = quote(transaction=transaction, amount=amount)
    limit = refund_limit(by)
    if approver is None and asked.amount > limit:
        raise ValidationError(
            f"You refund up to {format_usd(limit)} alone. Somebody else has to approve this."
        )
    refund = Refund.objects.create(
        account_id=transaction.account_id,
        transaction=transaction,
        number=new_number("R"),
        origin=RefundOrigin.PORTAL,
        amount=usd(asked.amount),
        tax_amount=usd(asked.tax),
        charged_amount=asked.charged_amount,
        reason=reason,
        request_key=request_key,
        made_by=by,
        limit_of_maker=limit,
        approved_by=approver,
        created_at=now,
    )
    AuditEvent.objects.create(
        account_id=transaction.account_id,
        actor=by,
        action="refund_opened",
        reason=reason,
        details={
            "refund": refund.number,
            "transaction": transaction.number,
            "amount": str(asked.amount),
            "charged": str(asked.charged_amount.amount),
            **({"approved_by": str(approver)} if approver else {}),
        },
        created_at=now,
    )
    return refund


def execute(*, refund_id: int, now: datetime) -> Refund:
    """Ask Stripe for a pending refund and settle the answer. Safe to call any number of times.

    When Stripe gives no answer it stays pending. Never call it inside a database transaction.
    """
    refund = Refund.objects.select_related("transaction").get(pk=refund_id)
    if refund.status != RefundStatus.PENDING:
        return refund
    transaction = refund.transaction
    with database.atomic():
        # Its own row second: whoever settles it has locked the transaction's first.
        refund_settlement.lock(transaction.pk)
        Refund.objects.filter(pk=refund_id, status=RefundStatus.PENDING).update(asked_at=now)
    try:
        report = _ask(refund, transaction, now)
    except gateway.GatewayUnavailable:
        log.warning("refund_unanswered", refund=refund.number)
        return refund
    except gateway.GatewayRefused as refusal:
        if not _is_key_remembered(refund, now):
            # Not the refund was refused but the question: the card may have the money already.
            log.error("refund_lookup_refused", refund=refund.number, why=str(refusal))
            return refund
        log.warning("refund_refused", refund=refund.number, why=str(refusal))
        return _give_up(refund, message=str(refusal), now=now)
    if report is None:
        return _give_up(refund, message="It did not reach Stripe.", now=now)
    return refund_settlement.settle(transaction_id=transaction.pk, report=report, now=now)


def _ask(refund: Refund, transaction: Transaction, now: datetime) -> StripeRefund | None:
    """Return how a refund stands at Stripe; None when it never got there."""
    if _is_key_remembered(refund, now):
        return gateway.refund(
            payment_intent_id=transaction.stripe_payment_intent_id,
            amount=refund.charged_amount,
            metadata={"refund": refund.number, "transaction": transaction.number},
            idempotency_key=f"refund-{refund.number}",
        )
    for report in gateway.list_refunds(payment_intent_id=transaction.stripe_payment_intent_id):
        if report.id == refund.stripe_refund_id or report.number == refund.number:
            return report
    return None


def _is_key_remembered(refund: Refund, now: datetime) -> bool:
    """Whether asking for it again is the same refund. Once the key is forgotten it is another."""
    return not refund.stripe_refund_id and now - refund.created_at < gateway.KEY_LIFETIME


def _give_up(refund: Refund, *, message: str, now: datetime) -> Refund:
    with database.atomic():
        transaction = refund_settlement.lock(refund.transaction_id)
        refund = transaction.refunds.select_for_update(no_key=True).get(pk=refund.pk)
        if refund.status == RefundStatus.PENDING and not refund.stripe_refund_id:
            refund = refund_settlement.fail(refund, transaction, message=message, now=now)
    return refund
