"""What went back of a payment, as its customer reads it: refunds and disputes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal

from django.urls import reverse

from accounts.money import format_omr, format_usd
from billing_portal.dashboard.times import Moment, moment
from invoices.models import Dispute, DisputeStatus, Refund, RefundStatus, Transaction
from wallet.models import Entry, EntryKind


@dataclass(frozen=True)
class RefundRow:
    """One refund, with its credit note once it has one."""

    amount: str
    charged: str
    at: Moment
    status: str
    tone: str
    words: str
    credit_note: str
    credit_note_href: str


@dataclass(frozen=True)
class DisputeRow:
    """One dispute: where it stands, and what that means."""

    amount: str
    at: Moment
    status: str
    tone: str
    words: str


@dataclass(frozen=True)
class CreditNote:
    """A credit note to download."""

    number: str
    href: str


#: What a dispute is to the customer, whose own bank it is with.
_DISPUTE_STATUS = {
    DisputeStatus.INQUIRY: ("Bank asks", "brand"),
    DisputeStatus.DISMISSED: ("Closed", ""),
    DisputeStatus.OPENED: ("Disputed", "warn"),
    DisputeStatus.UNDER_REVIEW: ("Disputed", "warn"),
    DisputeStatus.LOST: ("Returned by the bank", ""),
    DisputeStatus.WON: ("Payment stands", "good"),
}


def refund_rows(transaction: Transaction, *, zone: tzinfo) -> tuple[RefundRow, ...]:
    """Write the refunds of a payment, oldest first.

    One that Stripe refused at once never left, and is left out.
    """
    refunds = transaction.refunds.order_by("created_at", "pk")
    return tuple(
        _refund_row(refund, transaction, zone)
        for refund in refunds
        if refund.status != RefundStatus.FAILED or refund.credit_note_number
    )


def _refund_row(refund: Refund, transaction: Transaction, zone: tzinfo) -> RefundRow:
    status, tone, words = {
        RefundStatus.PENDING: (
            "On its way",
            "brand",
            "The bank has not confirmed it yet.",
        ),
        RefundStatus.SUCCEEDED: (
            "Refunded",
            "good",
            "Banks take five to ten days to show it on the card.",
        ),
        RefundStatus.FAILED: (
            "Came back",
            "bad",
            "The bank did not take it. We will find another way with you.",
        ),
    }[RefundStatus(refund.status)]
    note = refund.credit_note_number
    return RefundRow(
        amount=format_usd(refund.amount.amount),
        charged=format_omr(refund.charged_amount.amount),
        at=moment(refund.succeeded_at or refund.created_at, zone),
        status=status,
        tone=tone,
        words=words,
        credit_note=note,
        credit_note_href=_credit_note_href(transaction, note) if note else "",
    )


def credit_notes_of(transaction: Transaction) -> tuple[CreditNote, ...]:
    """Return the credit notes of the refunds that reached the card, oldest first."""
    succeeded = [
        refund for refund in transaction.refunds.all() if refund.status == RefundStatus.SUCCEEDED
    ]
    return tuple(
        CreditNote(
            number=refund.credit_note_number,
            href=_credit_note_href(transaction, refund.credit_note_number),
        )
        for refund in sorted(succeeded, key=lambda refund: refund.pk)
    )


def _credit_note_href(transaction: Transaction, number: str) -> str:
    return reverse("billing-history-credit-note", args=[transaction.number, number])


def dispute_rows(transaction: Transaction, *, zone: tzinfo) -> tuple[DisputeRow, ...]:
    """Write the disputes of a payment, oldest first."""
    return tuple(
        DisputeRow(
            amount=format_usd(dispute.amount.amount),
            at=moment(dispute.opened_at, zone),
            status=_DISPUTE_STATUS[DisputeStatus(dispute.status)][0],
            tone=_DISPUTE_STATUS[DisputeStatus(dispute.status)][1],
            words=_explain(dispute),
        )
        for dispute in transaction.disputes.order_by("opened_at", "pk")
    )


def _explain(dispute: Dispute) -> str:
    """Say in plain words what a dispute has done and what comes next."""
    amount = format_usd(dispute.amount.amount)
    moved = {
        entry.kind: abs(entry.amount)
        for entry in Entry.objects.filter(dispute=dispute).only("kind", "amount")
    }
    taken = moved.get(EntryKind.DISPUTE, Decimal(0))
    match DisputeStatus(dispute.status):
        case DisputeStatus.INQUIRY:
            return "Your bank asked us about this payment. Nothing has changed; we answer it."
        case DisputeStatus.DISMISSED:
            return "Your bank asked about this payment and closed the question. Nothing changed."
        case DisputeStatus.OPENED | DisputeStatus.UNDER_REVIEW:
            credit = (
                f" The {format_usd(taken)} of credit that it bought has left your wallet meanwhile."
                if taken
                else ""
            )
            return (
                f"Your bank disputes this payment and has taken {amount} back from us until it "
                f"decides, which may take weeks.{credit} If you did not mean to dispute it, tell "
                "your bank."
            )
        case DisputeStatus.LOST:
            credit = (
                f" The {format_usd(taken)} of credit that it bought has left your wallet for good."
                if taken
                else ""
            )
            return f"Your bank decided to return {amount} to your card.{credit}"
        case DisputeStatus.WON:
            returned = moved.get(EntryKind.DISPUTE_REVERSAL, Decimal(0))
            credit = (
                f" {format_usd(returned)} of credit is back in your wallet." if returned else ""
            )
            return f"Your bank decided, or was told by you, that the payment stands.{credit}"


def note_of_reversals(transaction: Transaction, disputes: Iterable[Dispute]) -> str:
    """Say beside *Paid* what of it went back: `$10.00 refunded`, `Disputed`; "" when nothing."""
    notes = []
    refunded: Decimal = transaction.refunded_amount.amount
    if refunded > 0:
        whole = refunded == transaction.amount.amount
        notes.append("Refunded" if whole else f"{format_usd(refunded)} refunded")
    for dispute in disputes:
        if dispute.is_holding:
            notes.append(_DISPUTE_STATUS[DisputeStatus(dispute.status)][0])
        elif dispute.status == DisputeStatus.WON:
            notes.append("Dispute closed, payment stands")
    return ", ".join(notes)
