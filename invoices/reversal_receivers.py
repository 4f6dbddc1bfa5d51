"""What Stripe's events do about money that goes back.

Like all receivers they run inside dj-stripe's database transaction: they record and settle from the
event itself, or leave a question that the worker asks, and never call the gateway. dj-stripe keeps
no refunds and shows rials wrongly, so the event's own data is read.
"""

from dataclasses import replace
from typing import Any

import structlog
from django.utils import timezone
from djstripe.event_handlers import djstripe_receiver
from djstripe.models import Event

from accounts.money import from_minor_units
from accounts.stripe_objects import (
    DisputeStage,
    dispute_from_object,
    payment_from_charge,
    refund_from_object,
)
from invoices import disputes, refund_settlement, reversals, settlement
from invoices.models import Status

log = structlog.get_logger(__name__)


@djstripe_receiver(["refund.created", "refund.updated", "refund.failed"])
def settle_refund(sender: type[Event], event: Event, **kwargs: Any) -> None:
    """A refund, wherever it was made, is brought to where the event says it is."""
    report = refund_from_object(event.data["object"])
    transaction = reversals.find_transaction(
        payment_intent_id=report.payment_intent_id, number=report.transaction_number
    )
    needs_asking = transaction is None or transaction.status != Status.PAID
    if transaction is not None:
        try:
            refund_settlement.settle(
                transaction_id=transaction.pk, report=report, now=timezone.now()
            )
        except refund_settlement.DoesNotFit as error:
            log.info("refund_does_not_fit_yet", refund=report.id, why=str(error))
            needs_asking = True
    if needs_asking and report.payment_intent_id:
        reversals.raise_question(payment_intent_id=report.payment_intent_id, now=timezone.now())


@djstripe_receiver(["charge.refunded"])
def settle_refunded_charge(sender: type[Event], event: Event, **kwargs: Any) -> None:
    """A charge that was refunded was paid; refunds that are not known here are asked about."""
    charge = event.data["object"]
    payment = payment_from_charge(charge)
    transaction = reversals.find_transaction(
        payment_intent_id=payment.payment_intent_id,
        number=(charge.get("metadata") or {}).get("transaction", ""),
    )
    if transaction is None:
        return
    if transaction.status != Status.PAID:
        transaction = settlement.settle(
            transaction_id=transaction.pk, payment=payment, now=timezone.now()
        )
    refunded = from_minor_units(charge["amount_refunded"], charge["currency"])
    known = refund_settlement.whole_of(transaction).minus(refund_settlement.left_of(transaction))
    if refunded > known.charged:
        reversals.raise_question(payment_intent_id=payment.payment_intent_id, now=timezone.now())


@djstripe_receiver(
    [
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
    ]
)
def record_dispute(sender: type[Event], event: Event, **kwargs: Any) -> None:
    """A dispute is brought to where the event says it is; that money moved says the most."""
    report = dispute_from_object(event.data["object"])
    if event.type == "charge.dispute.funds_reinstated":
        report = replace(report, stage=DisputeStage.WON)
    elif event.type == "charge.dispute.funds_withdrawn" and report.stage == DisputeStage.INQUIRY:
        report = replace(report, stage=DisputeStage.OPENED)
    transaction = reversals.find_transaction(payment_intent_id=report.payment_intent_id)
    if transaction is not None:
        disputes.record(transaction_id=transaction.pk, report=report, now=timezone.now())
    is_unsettled = transaction is None or transaction.status != Status.PAID
    if is_unsettled and report.payment_intent_id:
        reversals.raise_question(payment_intent_id=report.payment_intent_id, now=timezone.now())
