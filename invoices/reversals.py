"""What went back of a payment, as Stripe has it: asked when a webhook says little, and swept."""

from datetime import datetime, timedelta

import structlog
from django.db.models import F, Q

from accounts import gateway, nudges, sweeps
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
    run = sweeps.Run()
    settled = run.each(
        due.order_by(*longest_unasked).values_list("pk", flat=True)[:limit],
        lambda refund_id: _finish(refund_id, now),
        broke="refund_sweep_broke",
    )
    raised = PaymentQuestion.objects.filter(raised_at__lt=now - SWEEP_AFTER).order_by("raised_at")
    run.each(raised[:limit], lambda question: _answer(question, now), broke="question_sweep_broke")
    unheard = (
        Dispute.objects.filter(closed_at__isnull=True, asked_at__lt=now - SWEEP_DISPUTES_EVERY)
        .select_related("transaction")
        .order_by("asked_at")
    )
    return settled + run.each(
        unheard[:limit], lambda dispute: _ask_about(dispute, now), broke="dispute_sweep_broke"
    )


def _answer(question: PaymentQuestion, now: datetime) -> bool:
    """Ask what was raised, and return whether Stripe knows the payment."""
    try:
        ask(payment_intent_id=question.payment_intent_id, now=now)
    except gateway.GatewayRefused as refusal:
        # Asking again changes nothing.
        log.warning("payment_unknown_to_stripe", why=str(refusal))
        question.delete()
        return False
    return True


def _ask_about(dispute: Dispute, now: datetime) -> bool:
    """Ask how a dispute stands, and return whether it is closed."""
    ask(payment_intent_id=dispute.transaction.stripe_payment_intent_id, now=now)
    dispute.refresh_from_db()
    return dispute.closed_at is not None


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
