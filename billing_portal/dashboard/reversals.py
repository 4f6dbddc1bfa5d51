"""What went back of a payment, as its customer reads it: refunds and disputes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

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
    DisputeStatus.INQUIRY: (gettext_lazy("Bank asks"), "brand"),
    DisputeStatus.DISMISSED: (gettext_lazy("Closed"), ""),
    DisputeStatus.OPENED: (gettext_lazy("Disputed"), "warn"),
    DisputeStatus.UNDER_REVIEW: (gettext_lazy("Disputed"), "warn"),
    DisputeStatus.LOST: (gettext_lazy("Returned by the bank"), ""),
    DisputeStatus.WON: (gettext_lazy("Payment stands"), "good"),
}


def refund_rows(transaction: Transaction, *, zone: tzinfo) -> tuple[RefundRow, ...]:
    """Write the refunds of a payment, oldest first.

    One that Stripe refused at once never left, and is left out.
    """
    refunds = sorted(transaction.refunds.all(), key=lambda refund: (refund.created_at, refund.pk))
    return tuple(
        _refund_row(refund, transaction, zone)
        for refund in refunds
        if refund.status != RefundStatus.FAILED or refund.credit_note_number
    )


def _refund_row(refund: Refund, transaction: Transaction, zone: tzinfo) -> RefundRow:
    status, tone, words = {
        RefundStatus.PENDING: (
            _("On its way"),
            "brand",
            _("The bank has not confirmed it yet."),
        ),
        RefundStatus.SUCCEEDED: (
            _("Refunded"),
            "good",
            _("Banks take five to ten days to show it on the card."),
        ),
        RefundStatus.FAILED: (
            _("Came back"),
            "bad",
            _("The bank did not take it. We will find another way with you."),
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


def dispute_rows(transaction: Transaction) -> tuple[DisputeRow, ...]:
    """Write the disputes of a payment, oldest first."""
    disputes = sorted(transaction.disputes.all(), key=lambda each: (each.opened_at, each.pk))
    moved: dict[tuple[int | None, str], Decimal] = {}
    if disputes:
        entries = Entry.objects.filter(dispute__in=disputes).only("dispute_id", "kind", "amount")
        moved = {(entry.dispute_id, entry.kind): abs(entry.amount) for entry in entries}
    return tuple(
        DisputeRow(
            amount=format_usd(dispute.amount.amount),
            status=str(_DISPUTE_STATUS[DisputeStatus(dispute.status)][0]),
            tone=_DISPUTE_STATUS[DisputeStatus(dispute.status)][1],
            words=_explain(
                dispute,
                taken=moved.get((dispute.pk, EntryKind.DISPUTE)),
                returned=moved.get((dispute.pk, EntryKind.DISPUTE_REVERSAL)),
            ),
        )
        for dispute in disputes
    )


def _explain(dispute: Dispute, *, taken: Decimal | None, returned: Decimal | None) -> str:
    """Say in plain words what a dispute has done and what comes next."""
    amount = {"amount": format_usd(dispute.amount.amount)}
    match DisputeStatus(dispute.status):
        case DisputeStatus.INQUIRY:
            said = [
                _("Your bank asked us about this payment. Nothing has changed; we answer it."),
            ]
        case DisputeStatus.DISMISSED:
            said = [
                _("Your bank asked about this payment and closed the question. Nothing changed."),
            ]
        case DisputeStatus.OPENED | DisputeStatus.UNDER_REVIEW:
            said = [
                _(
                    "Your bank disputes this payment and has taken %(amount)s back from us until "
                    "it decides, which may take weeks."
                )
                % amount,
                _("The %(credit)s of credit that it bought has left your wallet meanwhile.")
                % {"credit": format_usd(taken)}
                if taken
                else "",
                _("If you did not mean to dispute it, tell your bank."),
            ]
        case DisputeStatus.LOST:
            said = [
                _("Your bank decided to return %(amount)s to your card.") % amount,
                _("The %(credit)s of credit that it bought has left your wallet for good.")
                % {"credit": format_usd(taken)}
                if taken
                else "",
            ]
        case DisputeStatus.WON:
            said = [
                _("Your bank decided, or was told by you, that the payment stands."),
                _("%(credit)s of credit is back in your wallet.") % {"credit": format_usd(returned)}
                if returned
                else "",
            ]
    return " ".join(filter(None, said))


def note_of_reversals(transaction: Transaction, disputes: Iterable[Dispute]) -> str:
    """Say beside *Paid* what of it went back: `$10.00 refunded`, `Disputed`; "" when nothing."""
    notes = []
    refunded: Decimal = transaction.refunded_amount.amount
    if refunded > 0:
        whole = refunded == transaction.amount.amount
        notes.append(
            _("Refunded") if whole else _("%(amount)s refunded") % {"amount": format_usd(refunded)}
        )
    for dispute in disputes:
        if dispute.is_holding:
            notes.append(str(_DISPUTE_STATUS[DisputeStatus(dispute.status)][0]))
        elif dispute.status == DisputeStatus.WON:
            notes.append(_("Dispute closed, payment stands"))
    return ", ".join(notes)
