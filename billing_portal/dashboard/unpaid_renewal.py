"""Which failed payment "Pay now" is offered beside: the last one of the period that is unpaid."""

from collections.abc import Iterable

from accounts.models import Account
from invoices.models import Purpose, Status, Transaction
from plans import past_due


def is_to_be_paid(transaction: Transaction) -> bool:
    """Whether this failed renewal's period is what "Pay now" would charge."""
    if not _has_failed(transaction):
        return False
    unpaid = past_due.unpaid(account=transaction.account)
    return unpaid is not None and unpaid.pk == transaction.subject_id


def payable_among(transactions: Iterable[Transaction], *, account: Account) -> int | None:
    """Return the id of the attempt to offer "Pay now" beside, or None; no query without a failure.

    Each day's attempt at one renewal is a line of its own: it is offered once, at the newest.
    """
    failed = [transaction for transaction in transactions if _has_failed(transaction)]
    unpaid = past_due.unpaid(account=account) if failed else None
    if unpaid is None:
        return None
    attempts = Transaction.objects.filter(
        account=account, purpose=Purpose.RENEWAL, subject_id=unpaid.pk
    )
    newest = attempts.order_by("-created_at", "-id").values_list("pk", flat=True).first()
    return newest if newest in {transaction.pk for transaction in failed} else None


def _has_failed(transaction: Transaction) -> bool:
    return (transaction.purpose, transaction.status) == (Purpose.RENEWAL, Status.FAILED)
