"""What went back of a payment, as Stripe has it: asked when a webhook says little, and swept."""

from datetime import datetime, timedelta

import structlog
from django.db.models import F, Q

from accounts import gateway, nudges
from accounts.models import AuditEvent
from accounts.stripe_objects import StripeRefund
from invoices import disputes, refund_settlement, refunds, settlement
from invoices.models import (
    Dispute,
    PaymentQuestion,
    Refund,
    RefundStatus,
    Status,
    Transaction,
)

log = structlog.get_logger(__name__)

#: How long a refund may be pending before the sweeper goes on with it.
SWEEP_AFTER = timedelta(minutes=1)
#: A refund that Stripe has and the bank has not decided on may take days.
SWEEP_KNOWN_EVERY = timedelta(minutes=15)
#: A dispute takes weeks; this only finds what its webhooks did not tell.
SWEEP_DISPUTES_EVERY = timedelta(hours=6)


def find_transaction(*, payment_intent_id: str, number: str = "") -> Transaction | None:
    """Return the transaction that a payment at Stripe was made for, by its id or its number."""
    if payment_intent_id:
        paid_with = Transaction.objects.filter(stripe_payment_intent_id=payment_intent_id).first()
        if paid_with is not None:
            return paid_with
    return Transaction.objects.filter(number=number).first() if number else None


def ask(*, payment_intent_id: str, now: datetime) -> None:
    """Bring a payment, and what went back of it, to where Stripe has them.

    Raises GatewayUnavailable, GatewayRefused. Never call it inside a database transaction.
    """
    question = PaymentQuestion.objects.filter(payment_intent_id=payment_intent_id).first()
    _ask(payment_intent_id, now)
    if question is not None:
        # Not one that was raised again meanwhile: its news may be newer than the answer.
        PaymentQuestion.objects.filter(pk=question.pk, raised_at=question.raised_at).delete()


def _ask(payment_intent_id: str, now: datetime) -> None:
    number, payment = gateway.retrieve_payment(payment_intent_id)
    transaction = find_transaction(payment_intent_id=payment_intent_id, number=number)
    if transaction is None:
        return
    if transaction.status != Status.PAID:
        settlement.settle(transaction_id=transaction.pk, payment=payment, now=now)
    # Ours first: what Stripe refuses makes room for what was refunded in its dashboard.
    for refund_id in _pending(transaction):
        refunds.execute(refund_id=refund_id, now=now)
    for report in gateway.list_refunds(payment_intent_id=payment_intent_id):
        try:
            refund_settlement.settle(transaction_id=transaction.pk, report=report, now=now)
        except refund_settlement.DoesNotFit as error:
            _tell_that_it_differs(transaction, report, str(error), now)
    for told in gateway.list_disputes(payment_intent_id=payment_intent_id):
        disputes.record(transaction_id=transaction.pk, report=told, now=now)


def _pending(transaction: Transaction) -> list[int]:
    pending = transaction.refunds.filter(status=RefundStatus.PENDING, stripe_refund_id="")
    return list(pending.order_by("pk").values_list("pk", flat=True))


def _tell_that_it_differs(
    transaction: Transaction, report: StripeRefund, why: str, now: datetime
) -> None:
    """Keep for staff, once, that Stripe refunded what can't be recorded here."""
    log.error("refund_differs", transaction=transaction.number, refund=report.id, why=why)
    details = {"transaction": transaction.number, "refund": report.id, "why": why}
    known = AuditEvent.objects.filter(
        account_id=transaction.account_id, action="refund_differs", details=details
    )
    if not known.exists():
        AuditEvent.objects.create(
            account_id=transaction.account_id,
            action="refund_differs",
            details=details,
            created_at=now,
        )


def sweep(*, now: datetime, limit: int = 200) -> int:
    """Go on with every refund that has been pending for too long; return how many were settled.

    Answers what news raised and no nudge did, and asks about disputes of which nothing was heard
    for a while.
    """
    due = Refund.objects.filter(
        status=RefundStatus.PENDING, created_at__lt=now - SWEEP_AFTER
    ).exclude(~Q(stripe_refund_id=""), asked_at__gt=now - SWEEP_KNOWN_EVERY)
    longest_unasked = (F("asked_at").asc(nulls_first=True), "created_at")
    settled = 0
    for refund_id in due.order_by(*longest_unasked).values_list("pk", flat=True)[:limit]:
        try:
            settled += _finish(refund_id, now)
        except Exception:
            # Whatever is wrong with one refund must not hold back the others.
            log.exception("refund_sweep_broke", refund=refund_id)
    _sweep_questions(now, limit)
    return settled + _sweep_disputes(now, limit)


def _sweep_questions(now: datetime, limit: int) -> None:
    open_ones = PaymentQuestion.objects.filter(raised_at__lt=now - SWEEP_AFTER)
    for question in open_ones.order_by("raised_at")[:limit]:
        try:
            ask(payment_intent_id=question.payment_intent_id, now=now)
        except gateway.GatewayRefused as refusal:
            # Stripe does not know it: asking again changes nothing.
            log.warning("payment_unknown_to_stripe", why=str(refusal))
            question.delete()
        except Exception:
            log.exception("question_sweep_broke", payment_intent=question.payment_intent_id)


def _sweep_disputes(now: datetime, limit: int) -> int:
    unheard = Dispute.objects.filter(
        closed_at__isnull=True, asked_at__lt=now - SWEEP_DISPUTES_EVERY
    ).order_by("asked_at")
    closed = 0
    for dispute in unheard.select_related("transaction")[:limit]:
        try:
            ask(payment_intent_id=dispute.transaction.stripe_payment_intent_id, now=now)
        except Exception:
            log.exception("dispute_sweep_broke", dispute=dispute.stripe_dispute_id)
            continue
        dispute.refresh_from_db()
        closed += dispute.closed_at is not None
    return closed


def _finish(refund_id: int, now: datetime) -> bool:
    refund = refunds.execute(refund_id=refund_id, now=now)
    if refund.status != RefundStatus.SUCCEEDED:
        # It waits for its payment, or was refused because something else went back meanwhile.
        ask(payment_intent_id=refund.transaction.stripe_payment_intent_id, now=now)
        refund.refresh_from_db()
    return refund.status != RefundStatus.PENDING


def raise_question(*, payment_intent_id: str, now: datetime) -> None:
    """Record that Stripe is to be asked about a payment, and have the worker do it after commit."""
    PaymentQuestion.objects.update_or_create(
        payment_intent_id=payment_intent_id, defaults={"raised_at": now}
    )
    nudges.after_commit("invoices.ask_about_payment", payment_intent_id)
