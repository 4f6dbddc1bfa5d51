"""Disputes: the card holder's bank takes a payment back, and may have to return it.

What Stripe tells of a dispute comes in any order and any number of times. A dispute only ever moves
on (inquiry, opened, under review, lost, won), so old news change nothing; the call that moves it
lets the purpose take back or give again what the payment bought, in the same database transaction
(invariant I10).
"""

from datetime import datetime
from decimal import Decimal

import structlog
from django.conf import settings
from django.db import transaction as database
from djmoney.money import Money

from accounts import outbox
from accounts.database_trouble import again_after_deadlock
from accounts.models import AuditEvent
from accounts.money import format_omr, format_usd, from_minor_units, usd
from accounts.stripe_objects import StripeDispute
from invoices import refund_settlement
from invoices.models import (
    HOLDING_STATUSES,
    Dispute,
    DisputeStatus,
    RefundStatus,
    Status,
    Transaction,
)
from invoices.proportions import Portion, part_of_charge
from invoices.purposes import fulfilment_of
from invoices.reversal_models import CLOSED_STATUSES

log = structlog.get_logger(__name__)

#: The order of DisputeStatus is the order in which a dispute moves on.
_ORDER = {status: place for place, status in enumerate(DisputeStatus)}


@again_after_deadlock
@database.atomic
def record(*, transaction_id: int, report: StripeDispute, now: datetime) -> Dispute:
    """Bring a dispute to where Stripe says it is, and return it.

    While its payment is not known to be paid, its effects wait: see settle_waiting.
    """
    transaction = refund_settlement.lock(transaction_id)
    told = DisputeStatus(report.stage)
    known = transaction.disputes.select_for_update(no_key=True)
    dispute = known.filter(stripe_dispute_id=report.id).first()
    was = DisputeStatus(dispute.status) if dispute else None
    if dispute is None:
        dispute = _new(transaction, report)
    dispute.asked_at = now
    if was is None or _ORDER[told] >= _ORDER[was]:
        dispute.status = told
        dispute.evidence_due_at = report.evidence_due_at or dispute.evidence_due_at
        dispute.closed_at = (dispute.closed_at or now) if told in CLOSED_STATUSES else None
    dispute.save()
    if transaction.status != Status.PAID:
        refund_settlement.wait(transaction, payment_intent_id=report.payment_intent_id)
    elif dispute.status != was:
        _carry_out(dispute, transaction, was, now)
    return dispute


def settle_waiting(*, transaction: Transaction, now: datetime) -> None:
    """Carry out what was told before the payment was. `transaction` is locked and just paid."""
    for dispute in transaction.disputes.order_by("pk"):
        _carry_out(dispute, transaction, None, now)


def holding(transaction: Transaction) -> Dispute | None:
    """Return the dispute for which the bank has the money of a payment, if there is one."""
    return transaction.disputes.filter(status__in=HOLDING_STATUSES).first()


def _new(transaction: Transaction, report: StripeDispute) -> Dispute:
    """Return a dispute that is not saved yet, of what refunds and other disputes left."""
    whole = refund_settlement.whole_of(transaction)
    gone = refund_settlement.sum_of(transaction.refunds.filter(status=RefundStatus.SUCCEEDED))
    held = refund_settlement.sum_of(transaction.disputes.filter(status__in=HOLDING_STATUSES))
    left = whole.minus(gone).minus(held)
    charged = from_minor_units(report.amount_minor, report.currency)
    if report.currency.upper() != str(transaction.charged_amount.currency.code):
        log.error("dispute_in_another_currency", dispute=report.id, currency=report.currency)
        charged = left.charged
    part = part_of_charge(charged, whole=whole, left=left)
    if part.amount < 0:
        # A refund was told after the dispute that took all: nothing is left for another one.
        part = Portion(Decimal(0), Decimal(0), charged)
    return Dispute(
        account_id=transaction.account_id,
        transaction=transaction,
        amount=usd(part.amount),
        tax_amount=usd(part.tax),
        charged_amount=Money(charged, transaction.charged_amount.currency),
        reason=report.reason,
        stripe_dispute_id=report.id,
        stripe_charge_id=report.charge_id,
        opened_at=report.opened_at,
    )


def _carry_out(
    dispute: Dispute, transaction: Transaction, was: DisputeStatus | None, now: datetime
) -> None:
    """Let the credit follow a dispute that has moved on from `was`, and tell staff."""
    had_it = was in HOLDING_STATUSES
    taken = returned = Decimal(0)
    if dispute.is_holding and not had_it:
        dispute.taken_at = now
        taken = fulfilment_of(transaction).disputed(dispute=dispute, now=now)
    elif had_it and not dispute.is_holding:
        dispute.returned_at = now
        returned = fulfilment_of(transaction).dispute_won(dispute=dispute, now=now)
    dispute.save(update_fields=["taken_at", "returned_at"])
    if dispute.status != DisputeStatus.UNDER_REVIEW or not had_it:
        # That their answer is under review is no news to those who gave it.
        _tell_staff(dispute, transaction, taken=taken, returned=returned, now=now)
    AuditEvent.objects.create(
        account_id=transaction.account_id,
        action=f"dispute_{dispute.status}",
        reason=dispute.reason_in_words,
        details={
            "dispute": dispute.stripe_dispute_id,
            "transaction": transaction.number,
            "amount": str(dispute.amount.amount),
            "charged": str(dispute.charged_amount.amount),
            "credit_taken": str(taken),
            "credit_returned": str(returned),
        },
        created_at=now,
    )


def _tell_staff(
    dispute: Dispute, transaction: Transaction, *, taken: Decimal, returned: Decimal, now: datetime
) -> None:
    event = "dispute_closed" if dispute.closed_at else "dispute_opened"
    due_at = dispute.evidence_due_at
    outbox.record_email(
        account=transaction.account,
        event=event,
        key=f"{event}:{dispute.stripe_dispute_id}:{dispute.status}",
        recipient=settings.STAFF_EMAIL,
        context={
            "number": transaction.number,
            "dispute": dispute.stripe_dispute_id,
            "status": dispute.get_status_display(),
            "amount": format_usd(dispute.amount.amount),
            "charged": format_omr(dispute.charged_amount.amount),
            "reason": dispute.reason_in_words,
            "credit_taken": format_usd(taken) if taken else "",
            "credit_returned": format_usd(returned) if returned else "",
            "evidence_due_at": due_at.isoformat() if due_at and not dispute.closed_at else None,
            "path": f"/admin/invoices/dispute/{dispute.pk}/change/",
        },
        now=now,
    )
