"""Credit follows its payment: what goes back to the card leaves the wallet.

Whatever of a payment goes back (a refund, a dispute) and however it ends, one rule holds: the
credit taken back for a payment is the net of what went back of it, and never more than it bought.
Each change posts the difference, under a key of its own, so that it is posted once.
"""

from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext_noop

from accounts.recorded_words import Sentence
from invoices.models import HOLDING_STATUSES, Dispute, Refund, RefundStatus, Transaction
from wallet import ledger, refill_suspension
from wallet.models import BOUGHT_KINDS, REVERSAL_KINDS, Entry, EntryKind

REFUND = Sentence(gettext_noop("Refund %(refund)s of %(payment)s"))
REFUND_FAILED = Sentence(gettext_noop("Refund %(refund)s failed: credit returned"))
DISPUTE = Sentence(gettext_noop("Dispute of %(payment)s"))
DISPUTE_WON = Sentence(gettext_noop("Dispute of %(payment)s won: credit returned"))


class CreditFollowsPayment:
    """What every purpose does when money goes back: the credit that was bought leaves the wallet.

    Purposes that sell no credit do it, too: a second payment of a period became credit. Where no
    credit was bought, the wallet is left alone.
    """

    def refunded(self, *, refund: Refund, now: datetime) -> Decimal:
        """Take the net amount of the refund out of the wallet; the balance may become negative."""
        return -_follow(
            refund.transaction,
            EntryKind.REFUND,
            REFUND.write(refund=refund.number, payment=refund.transaction.number),
            now,
            refund=refund,
        )

    def refund_failed(self, *, refund: Refund, now: datetime) -> Decimal:
        """Put the credit back: the card did not get the money."""
        return _follow(
            refund.transaction,
            EntryKind.REFUND,
            REFUND_FAILED.write(refund=refund.number),
            now,
            refund=refund,
        )

    def disputed(self, *, dispute: Dispute, now: datetime) -> Decimal:
        """Take the net amount of the dispute out of the wallet, less what refunds took.

        Auto-refill is suspended: it would charge the card again for what was taken.
        """
        taken = -_follow(
            dispute.transaction,
            EntryKind.DISPUTE,
            DISPUTE.write(payment=dispute.transaction.number),
            now,
            dispute=dispute,
        )
        refill_suspension.for_dispute(dispute=dispute, now=now)
        return taken

    def dispute_won(self, *, dispute: Dispute, now: datetime) -> Decimal:
        """Put the credit back: the bank returned the money."""
        return _follow(
            dispute.transaction,
            EntryKind.DISPUTE_REVERSAL,
            DISPUTE_WON.write(payment=dispute.transaction.number),
            now,
            dispute=dispute,
        )


def credit_taken_by(*, transaction: Transaction, net: Decimal) -> Decimal:
    """Return the credit that would leave the wallet if `net` USD more of a payment went back."""
    bought, moved = _credit_of(transaction)
    return min(bought, _gone_back(transaction) + net) + moved


def _follow(
    transaction: Transaction,
    kind: EntryKind,
    description: str,
    now: datetime,
    *,
    refund: Refund | None = None,
    dispute: Dispute | None = None,
) -> Decimal:
    """Bring the credit of a payment to what is left of the payment; return how it moved (USD)."""
    ledger.lock(account_ids=[transaction.account_id])
    bought, moved = _credit_of(transaction)
    change = -min(bought, _gone_back(transaction)) - moved
    if change:
        ledger.post(
            account_id=transaction.account_id,
            kind=kind,
            amount=change,
            description=description,
            now=now,
            transaction=transaction,
            refund=refund,
            dispute=dispute,
        )
    return change


def _credit_of(transaction: Transaction) -> tuple[Decimal, Decimal]:
    """Return what credit a payment bought, and how it has moved since (USD, signed)."""
    entries = Entry.objects.filter(transaction=transaction)
    bought = _sum(entries.filter(kind__in=BOUGHT_KINDS))
    return bought, _sum(entries.filter(kind__in=REVERSAL_KINDS))


def _gone_back(transaction: Transaction) -> Decimal:
    """Return the net of what went back of a payment (USD)."""
    refunded = transaction.refunds.filter(status=RefundStatus.SUCCEEDED)
    disputed = transaction.disputes.filter(status__in=HOLDING_STATUSES)
    gone = [each.net_amount.amount for each in refunded]
    gone += [each.net_amount.amount for each in disputed]
    return sum(gone, Decimal(0))


def _sum(entries: QuerySet[Entry]) -> Decimal:
    total: Decimal = entries.aggregate(total=Sum("amount", default=Decimal(0)))["total"]
    return total
