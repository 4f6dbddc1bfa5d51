"""The PDF receipt of a paid transaction; how it is drawn is in documents.py."""

from typing import Any

from django.utils.translation import gettext

from accounts.dates import write_long_day
from accounts.money import format_omr, format_usd
from invoices import documents
from invoices.models import Status, Transaction


class NotPaid(Exception):
    """Only a paid transaction has a receipt."""


def filename(transaction: Transaction) -> str:
    """Return the name under which a receipt is saved: `receipt-BT-000042.pdf`."""
    return f"receipt-{transaction.receipt_number}.pdf"


def render(transaction: Transaction) -> bytes:
    """Return the receipt as PDF: the same bytes for the same transaction, however often.

    Raises NotPaid for a transaction in any other state.
    """
    if transaction.status != Status.PAID or transaction.paid_at is None:
        raise NotPaid(f"Transaction {transaction.number} is {transaction.get_status_display()}.")
    return documents.draw("invoices/receipt.html", _context(transaction))


def _context(transaction: Transaction) -> dict[str, Any]:
    """Return what the template shows, ready to print."""
    timezone = documents.timezone_of(transaction)
    assert transaction.paid_at is not None
    paid_at = transaction.paid_at.astimezone(timezone)
    lines = transaction.lines.filter(is_tax=False)
    return {
        **documents.parties(seller=transaction.seller, billed_to=transaction.billed_to),
        "title": gettext("Tax invoice") if transaction.tax_rate else gettext("Receipt"),
        "document_number": transaction.receipt_number,
        "number": transaction.number,
        "paid_on": write_long_day(paid_at.date()),
        "paid_at": documents.clock(paid_at, timezone=timezone),
        "card": documents.card_of(transaction),
        "lines": [documents.line_row(line, timezone=timezone) for line in lines],
        "tax": documents.tax_of(
            transaction, net=transaction.net_amount.amount, tax=transaction.tax_amount.amount
        ),
        "total": format_usd(transaction.amount.amount),
        "charged": format_omr(transaction.charged_amount.amount),
        "rate": documents.plain(transaction.exchange_rate),
    }
