"""The PDF credit note of a refund: what of which receipt is taken back.

Seller and buyer are those of the receipt, which never change. A refund that the bank handed back
keeps its number, for the sequence has no gaps; its credit note says that it is void.
"""

from typing import Any

from django.utils.translation import gettext

from accounts.dates import write_long_day
from accounts.money import format_omr, format_usd
from accounts.recorded_words import translated
from invoices import documents
from invoices.models import Refund, RefundStatus


class NotRefunded(Exception):
    """Only a refund that succeeded has a credit note."""


def filename(refund: Refund) -> str:
    """Return the name under which a credit note is saved: `credit-note-CN-000042.pdf`."""
    return f"credit-note-{refund.credit_note_number}.pdf"


def render(refund: Refund) -> bytes:
    """Return the credit note as PDF: the same bytes for the same refund, however often.

    Raises NotRefunded for a refund that has none.
    """
    if not refund.credit_note_number:
        raise NotRefunded(f"Refund {refund.number} is {refund.get_status_display()}.")
    return documents.draw("invoices/credit_note.html", _context(refund))


def _context(refund: Refund) -> dict[str, Any]:
    """Return what the template shows, ready to print."""
    transaction = refund.transaction
    timezone = documents.timezone_of(transaction)
    assert refund.succeeded_at is not None
    refunded_at = refund.succeeded_at.astimezone(timezone)
    return {
        **documents.parties(seller=transaction.seller, billed_to=transaction.billed_to),
        "title": gettext("Tax credit note") if transaction.tax_rate else gettext("Credit note"),
        "document_number": refund.credit_note_number,
        "receipt_number": transaction.receipt_number,
        "number": transaction.number,
        "refunded_on": write_long_day(refunded_at.date()),
        "refunded_at": documents.clock(refunded_at, timezone=timezone),
        "is_void": refund.status == RefundStatus.FAILED,
        "card": documents.card_of(transaction),
        "lines": _lines(refund),
        "tax": documents.tax_of(
            transaction, net=refund.net_amount.amount, tax=refund.tax_amount.amount
        ),
        "total": format_usd(refund.amount.amount),
        "charged": format_omr(refund.charged_amount.amount),
        "paid": format_usd(transaction.amount.amount),
    }


def _lines(refund: Refund) -> list[dict[str, Any]]:
    """Return every line of the receipt when all of it is taken back, else one for the part."""
    transaction = refund.transaction
    timezone = documents.timezone_of(transaction)
    lines = transaction.lines.filter(is_tax=False)
    if refund.amount == transaction.amount:
        return [documents.line_row(line, timezone=timezone) for line in lines]
    bought = ", ".join(translated(line.description) for line in lines)
    net = format_usd(refund.net_amount.amount)
    description = gettext("Part of: %(bought)s") % {"bought": bought}
    return [
        {
            "description": documents.paragraph(description),
            "period": "",
            "quantity": "1",
            "unit_price": net,
            "amount": net,
        }
    ]
