"""Settling refunds: the one place where a refund changes state.

Reached from Stripe's answer to us, a webhook, the sweeper and the payment's own settlement, each
any number of times, in any order and at once. The lock on the transaction's row lets one call at a
time decide; the call that makes the transition lets the purpose take back what the payment bought,
in the same database transaction, so that it is taken back exactly once (invariant I10).
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import structlog
from django.conf import settings
from django.db import transaction as database
from django.db.models import QuerySet, Sum
from djmoney.money import Money

from accounts import outbox
from accounts.database_trouble import again_after_deadlock
from accounts.event_log import happened
from accounts.models import AuditEvent, card_in_words
from accounts.money import format_omr, format_usd, from_minor_units, usd
from accounts.stripe_objects import RefundOutcome, StripeRefund
from invoices.models import (
    Dispute,
    Refund,
    RefundOrigin,
    RefundStatus,
    Status,
    Transaction,
)
from invoices.numbers import new_number, next_in_sequence
from invoices.proportions import Portion, part_of_charge
from invoices.purposes import fulfilment_of

log = structlog.get_logger(__name__)


_listeners: list[Callable[[Refund, datetime], None]] = []


def on_end(listener: Callable[[Refund, datetime], None]) -> None:
    """Have `listener` called, in the same transaction, when a refund has succeeded or failed."""
    _listeners.append(listener)


class DoesNotFit(Exception):
    """Stripe tells of a refund for which too little is left beside what is pending here.

    A pending one of ours will be refused: once it is, ask again.
    """


def lock(transaction_id: int) -> Transaction:
    """Lock a transaction, and so everything that may go back of it. Call it in a transaction."""
    return (
        Transaction.objects.select_for_update(no_key=True, of=("self",))
        .select_related("account")
        .get(pk=transaction_id)
    )


def whole_of(transaction: Transaction) -> Portion:
    """Return what the payment was."""
    return Portion(
        transaction.amount.amount, transaction.tax_amount.amount, transaction.charged_amount.amount
    )


def left_of(transaction: Transaction) -> Portion:
    """Return what no refund, pending or succeeded, gives back yet."""
    given_back = transaction.refunds.exclude(status=RefundStatus.FAILED)
    return whole_of(transaction).minus(sum_of(given_back))


def sum_of(parts: QuerySet[Refund] | QuerySet[Dispute]) -> Portion:
    """Return what refunds or disputes of one payment come to together."""
    sums = parts.aggregate(
        amount=Sum("amount", default=Decimal(0)),
        tax=Sum("tax_amount", default=Decimal(0)),
        charged=Sum("charged_amount", default=Decimal(0)),
    )
    return Portion(**sums)


@again_after_deadlock
@database.atomic
def settle(*, transaction_id: int, report: StripeRefund, now: datetime) -> Refund:
    """Bring a refund to where Stripe says it is, and return it.

    One that nobody here asked for (it was made in Stripe's dashboard) is recorded first. While its
    payment is not known to be paid, a refund waits: see settle_waiting. Raises DoesNotFit.
    """
    transaction = lock(transaction_id)
    refund = _known(transaction, report) or _record(transaction, report, now)
    # One that was given up for lost here, and is found at Stripe after all, still counts: as soon
    # as the bank has decided.
    was_given_up = refund.status == RefundStatus.FAILED and not refund.stripe_refund_id
    if was_given_up and report.outcome == RefundOutcome.PENDING:
        return refund
    refund.stripe_refund_id = report.id
    if refund.status == RefundStatus.PENDING:
        refund.stripe_status = report.outcome
    may_succeed = refund.status == RefundStatus.PENDING or was_given_up
    if report.outcome == RefundOutcome.FAILED and refund.status != RefundStatus.FAILED:
        return fail(refund, transaction, message=_why_it_failed(report), now=now)
    if report.outcome == RefundOutcome.SUCCEEDED and may_succeed:
        if transaction.status == Status.PAID:
            return _succeed(refund, transaction, now)
        wait(transaction, payment_intent_id=report.payment_intent_id)
    refund.save()
    return refund


def wait(transaction: Transaction, *, payment_intent_id: str) -> None:
    """Leave what went back until its payment is known; more about it is found by this id."""
    log.info("reversal_waits_for_its_payment", transaction=transaction.number)
    Transaction.objects.filter(pk=transaction.pk, stripe_payment_intent_id="").update(
        stripe_payment_intent_id=payment_intent_id
    )


def settle_waiting(*, transaction: Transaction, now: datetime) -> None:
    """Settle the refunds that were told before their payment was. `transaction` is locked, paid."""
    for refund in transaction.refunds.filter(
        status=RefundStatus.PENDING, stripe_status=RefundOutcome.SUCCEEDED
    ).order_by("pk"):
        _succeed(refund, transaction, now)


def _known(transaction: Transaction, report: StripeRefund) -> Refund | None:
    """Return the refund that a report is about; ours carry their number at Stripe."""
    refunds = transaction.refunds.select_for_update(no_key=True)
    told_before = refunds.filter(stripe_refund_id=report.id).first()
    if told_before is not None or not report.number:
        return told_before
    return refunds.filter(stripe_refund_id="", number=report.number).first()


def _record(transaction: Transaction, report: StripeRefund, now: datetime) -> Refund:
    """Record a refund that was made in Stripe's own dashboard."""
    charged = from_minor_units(report.amount_minor, report.currency)
    left = left_of(transaction)
    if report.currency.upper() != str(transaction.charged_amount.currency.code):
        raise DoesNotFit(f"{report.id} is in {report.currency}.")
    if charged > left.charged and report.outcome != RefundOutcome.FAILED:
        raise DoesNotFit(f"{report.id} gives back {charged}, and {left.charged} is left.")
    part = part_of_charge(charged, whole=whole_of(transaction), left=left)
    reason = f" ({report.reason.replace('_', ' ')})" if report.reason else ""
    return Refund.objects.create(
        account_id=transaction.account_id,
        transaction=transaction,
        number=new_number("R"),
        origin=RefundOrigin.STRIPE,
        amount=usd(part.amount),
        tax_amount=usd(part.tax),
        charged_amount=Money(part.charged, transaction.charged_amount.currency),
        reason=f"Made in Stripe's dashboard{reason}",
        created_at=now,
    )


def _log(refund: Refund, transaction: Transaction) -> None:
    happened(
        "refund_settled",
        account=transaction.account_id,
        transaction=transaction.number,
        refund=refund.number,
        status=refund.status,
        returned=refund.charged_amount,
    )


def _succeed(refund: Refund, transaction: Transaction, now: datetime) -> Refund:
    refund.status = RefundStatus.SUCCEEDED
    refund.succeeded_at = now
    refund.failed_at = None
    refund.failure_message = ""
    refund.save()
    taken_back = fulfilment_of(transaction).refunded(refund=refund, now=now)
    # Last, for its lock is everybody's.
    refund.credit_note_number = next_in_sequence(settings.SELLER["credit_note_prefix"])
    refund.save(update_fields=["credit_note_number"])
    _log(refund, transaction)
    credit_note = outbox.email(
        account=transaction.account,
        event="refund_made",
        key=f"refund_made:{refund.number}",
        context={
            "number": transaction.number,
            "receipt_number": transaction.receipt_number,
            "credit_note_number": refund.credit_note_number,
            "amount": format_usd(refund.amount.amount),
            "charged": format_omr(refund.charged_amount.amount),
            "card": card_in_words(transaction.card_brand, transaction.card_last4),
            "credit_taken": format_usd(taken_back) if taken_back else "",
            "refunded_at": now.isoformat(),
            "path": f"/billing/history/{transaction.number}/",
        },
        now=now,
    )
    outbox.record([credit_note, *outbox.copies_of(credit_note)])
    _note(refund, transaction, "refund_succeeded", now, credit_taken=str(taken_back))
    _tell_listeners(refund, now)
    return refund


def fail(refund: Refund, transaction: Transaction, *, message: str, now: datetime) -> Refund:
    """Mark a refund failed; what it took back is given again. `transaction` is locked.

    Staff are told, and the customer who was told that the money is on its way.
    """
    had_succeeded = refund.status == RefundStatus.SUCCEEDED
    refund.status = RefundStatus.FAILED
    refund.failed_at = now
    refund.failure_message = message[:500]
    refund.save()
    _log(refund, transaction)
    returned = Decimal(0)
    if had_succeeded:
        returned = fulfilment_of(transaction).refund_failed(refund=refund, now=now)
        outbox.record_email(
            account=transaction.account,
            event="refund_came_back",
            key=f"refund_came_back:{refund.number}",
            context={
                "number": transaction.number,
                "credit_note_number": refund.credit_note_number,
                "amount": format_usd(refund.amount.amount),
                "charged": format_omr(refund.charged_amount.amount),
                "card": card_in_words(transaction.card_brand, transaction.card_last4),
                "credit_returned": format_usd(returned) if returned else "",
                "path": f"/billing/history/{transaction.number}/",
            },
            now=now,
        )
    outbox.record_email(
        account=transaction.account,
        event="refund_failed",
        key=f"refund_failed:{refund.number}",
        recipient=settings.STAFF_EMAIL,
        context={
            "number": refund.number,
            "transaction": transaction.number,
            "amount": format_usd(refund.amount.amount),
            "charged": format_omr(refund.charged_amount.amount),
            "reason": refund.failure_message,
            "credit_returned": format_usd(returned) if returned else "",
            "path": f"/admin/invoices/refund/{refund.pk}/change/",
        },
        now=now,
    )
    _note(refund, transaction, "refund_failed", now, credit_returned=str(returned))
    _tell_listeners(refund, now)
    return refund


def _tell_listeners(refund: Refund, now: datetime) -> None:
    for listener in _listeners:
        listener(refund, now)


def _why_it_failed(report: StripeRefund) -> str:
    """Say in words why the bank did not take a refund (docs.stripe.com/refunds, failed refunds)."""
    return {
        "lost_or_stolen_card": "The card was reported lost or stolen.",
        "expired_or_canceled_card": "The card has expired or its account was closed.",
        "charge_for_pending_refund_disputed": "The customer disputed the payment meanwhile.",
        "insufficient_funds": "The balance at Stripe did not cover it.",
        "declined": "The bank declined it.",
        "merchant_request": "It was canceled in Stripe's dashboard.",
    }.get(report.failure_reason, "The bank did not take it.")


def _note(
    refund: Refund, transaction: Transaction, action: str, now: datetime, **details: str
) -> None:
    """Keep what happened in the account's story."""
    AuditEvent.objects.create(
        account_id=transaction.account_id,
        actor=refund.made_by,
        action=action,
        reason=refund.failure_message or refund.reason,
        details={
            "refund": refund.number,
            "transaction": transaction.number,
            "amount": str(refund.amount.amount),
            "charged": str(refund.charged_amount.amount),
            **details,
        },
        created_at=now,
    )
