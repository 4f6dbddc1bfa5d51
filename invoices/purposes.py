"""What a paid transaction brings about.

Each purpose is registered by the app that sells it, when Django starts. Settlement calls it inside
its own database transaction, so that a payment and what it pays for are one change.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from accounts.models import Message
from invoices.models import Dispute, Purpose, Refund, Transaction


class Fulfilment(Protocol):
    """What happens when a transaction of a purpose is settled, or its money goes back.

    Never calls the gateway. The transaction's row is locked.
    """

    #: Whether `failed` tells the customer itself; if not, settlement sends the general notice.
    announces_failure: bool

    def why_unwanted(self, *, transaction: Transaction, now: datetime) -> str:
        """Say why paying it now would no longer buy what it was opened for, or ""."""

    def paid(self, *, transaction: Transaction, now: datetime) -> Sequence[Message] | None:
        """Bring about what was paid for. Called once, before the transaction becomes `paid`.

        Return what is to be told of it, if anything: settlement records it with the receipt, in one
        statement.
        """

    def failed(self, *, transaction: Transaction, now: datetime) -> None:
        """React to a failure. Called once for each failed transaction."""

    def refunded(self, *, refund: Refund, now: datetime) -> Decimal:
        """Take back what the refunded part bought; return the credit taken (USD, 0 or more).

        Called when a refund has become `succeeded`.
        """

    def refund_failed(self, *, refund: Refund, now: datetime) -> Decimal:
        """Give again what `refunded` took; return the credit given (USD, 0 or more).

        Called when a refund that had succeeded came back from the bank.
        """

    def disputed(self, *, dispute: Dispute, now: datetime) -> Decimal:
        """Take back what the disputed part bought; return the credit taken (USD, 0 or more).

        Called when the bank has taken the money.
        """

    def dispute_won(self, *, dispute: Dispute, now: datetime) -> Decimal:
        """Give again what `disputed` took; return the credit given (USD, 0 or more)."""


_fulfilments: dict[Purpose, Fulfilment] = {}


def register(purpose: Purpose, fulfilment: Fulfilment) -> None:
    """Say who fulfils `purpose`."""
    _fulfilments[purpose] = fulfilment


def fulfilment_of(transaction: Transaction) -> Fulfilment:
    """Return who fulfils this transaction. Raises KeyError for a purpose nobody registered."""
    return _fulfilments[Purpose(transaction.purpose)]


def subject_of(transaction: Transaction) -> int:
    """Return the row that a transaction pays for. Raises ValueError when it names none."""
    if transaction.subject_id is None:
        raise ValueError(f"{transaction.number} pays for nothing in particular.")
    return transaction.subject_id
