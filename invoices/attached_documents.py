"""The PDF that goes out with an e-mail: the receipt of a payment, the credit note of a refund.

Drawn by the worker when the e-mail is sent, from what was frozen when it happened: the same file as
on the payment's page. One that can't be drawn holds back no e-mail, for that leads to the page.
"""

from collections.abc import Callable, Sequence

import structlog

from accounts import emails
from accounts.emails import Attachment
from accounts.models import Message
from invoices import credit_notes, receipts
from invoices.models import Refund, Status, Transaction

log = structlog.get_logger(__name__)


def connect() -> None:
    """Have the documents go out with their e-mails."""
    emails.attach_to("transaction_paid", receipt)
    emails.attach_to("refund_made", credit_note)


def receipt(message: Message) -> Sequence[Attachment]:
    """The receipt of the payment that the message is about."""
    transaction = Transaction.objects.filter(
        account=message.account, number=message.payload.get("number"), status=Status.PAID
    ).first()
    if transaction is None:
        return ()
    return _drawn(receipts.filename(transaction), lambda: receipts.render(transaction))


def credit_note(message: Message) -> Sequence[Attachment]:
    """The credit note of the refund that the message is about."""
    number = message.payload.get("credit_note_number")
    refund = Refund.objects.filter(
        transaction__account=message.account, credit_note_number=number or None
    ).first()
    if refund is None:
        return ()
    return _drawn(credit_notes.filename(refund), lambda: credit_notes.render(refund))


def _drawn(filename: str, draw: Callable[[], bytes]) -> Sequence[Attachment]:
    try:
        return (Attachment(filename, draw(), "application/pdf"),)
    except Exception:
        log.exception("document_not_attached", document=filename)
        return ()
