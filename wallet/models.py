"""Credit: the ledger. The wallet and auto-refill are in the modules beside it. Amounts are USD.

Django wants all models importable from here.
"""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from invoices.models import Dispute, Refund, Transaction
from wallet.adjustment_models import Adjustment, ApprovalKind, ApprovalRequest, ApprovalState
from wallet.refill_models import AutoRefill, AutoRefillConsent, ConsentAction
from wallet.wallet_models import DEFAULT_LOW_BALANCE_LIMIT, LARGEST_SPEND_CAP, Wallet

__all__ = [
    "BOUGHT_KINDS",
    "DEFAULT_LOW_BALANCE_LIMIT",
    "LARGEST_SPEND_CAP",
    "REVERSAL_KINDS",
    "Adjustment",
    "ApprovalKind",
    "ApprovalRequest",
    "ApprovalState",
    "AutoRefill",
    "AutoRefillConsent",
    "ConsentAction",
    "Entry",
    "EntryKind",
    "Wallet",
]


class EntryKind(models.TextChoices):
    """Why the balance moved."""

    TOP_UP = "top_up", _("Top-up")
    AUTO_REFILL = "auto_refill", _("Auto-refill")
    USAGE = "usage", _("Usage")
    ADJUSTMENT = "adjustment", _("Adjustment")
    REFUND = "refund", _("Refund")
    DISPUTE = "dispute", _("Dispute")
    DISPUTE_REVERSAL = "dispute_reversal", _("Dispute reversal")


#: Credit that was bought, with the transaction that bought it.
BOUGHT_KINDS = (EntryKind.TOP_UP, EntryKind.AUTO_REFILL)
#: Credit that follows its payment when that goes back.
REVERSAL_KINDS = (EntryKind.REFUND, EntryKind.DISPUTE, EntryKind.DISPUTE_REVERSAL)


class Entry(models.Model):
    """One signed line of the ledger with the balance after it. Append-only (invariant I2).

    Every line of usage pays for every index and every foreign key here: there is no index that no
    query reads, what is set on few entries is indexed on those only, and the trigger that moves the
    balance checks all references of a statement at once (`apply_entries`).
    """

    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
        db_constraint=False,
    )
    wallet = models.ForeignKey(
        Wallet,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
        db_constraint=False,
    )
    sequence = models.BigIntegerField()
    kind = models.CharField(max_length=20, choices=EntryKind)
    amount = models.DecimalField(max_digits=18, decimal_places=6)
    balance_after = models.DecimalField(max_digits=18, decimal_places=6)
    description = models.CharField(max_length=300)
    transaction = models.ForeignKey(
        Transaction,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
        db_constraint=False,
    )
    adjustment = models.ForeignKey(
        Adjustment,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
        db_constraint=False,
    )
    refund = models.ForeignKey(
        Refund,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
        db_constraint=False,
    )
    dispute = models.ForeignKey(
        Dispute,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
        db_constraint=False,
    )
    usage_id = models.CharField(
        max_length=200, blank=True, help_text="The platform's id of the usage record."
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-sequence"]
        verbose_name_plural = "entries"
        permissions = [
            ("export_entries", "Can export entries of the ledger"),
            ("read_month_end", "Can read the month-end report"),
        ]
        constraints = [
            # Carries the account, like every unique key of a hot table; a wallet has one account.
            models.UniqueConstraint(fields=["account", "sequence"], name="entries_are_numbered"),
            models.UniqueConstraint(
                fields=["transaction"],
                condition=Q(kind__in=["top_up", "auto_refill"]),
                name="a_paid_transaction_is_credited_once",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["top_up", "auto_refill"])
                | Q(transaction__isnull=False, amount__gt=0),
                name="credit_is_bought_with_a_transaction",
            ),
            models.UniqueConstraint(
                fields=["refund"],
                condition=Q(refund__isnull=False, amount__lt=0),
                name="a_refund_takes_credit_back_once",
            ),
            models.UniqueConstraint(
                fields=["refund"],
                condition=Q(refund__isnull=False, amount__gt=0),
                name="a_failed_refund_returns_credit_once",
            ),
            models.CheckConstraint(
                condition=Q(refund__isnull=True) | Q(kind="refund", transaction__isnull=False),
                name="a_refund_is_posted_as_one",
            ),
            models.UniqueConstraint(
                fields=["dispute", "kind"],
                condition=Q(dispute__isnull=False),
                name="a_dispute_debits_once_and_is_reinstated_once",
            ),
            models.UniqueConstraint(
                fields=["adjustment"],
                condition=Q(adjustment__isnull=False),
                name="an_adjustment_is_posted_once",
            ),
            models.CheckConstraint(
                condition=Q(
                    dispute__isnull=True,
                    kind__in=[kind for kind in EntryKind.values if not kind.startswith("dispute")],
                )
                | Q(dispute__isnull=False, kind="dispute", transaction__isnull=False, amount__lt=0)
                | Q(
                    dispute__isnull=False,
                    kind="dispute_reversal",
                    transaction__isnull=False,
                    amount__gt=0,
                ),
                name="a_dispute_takes_credit_and_its_reversal_returns_it",
            ),
            models.UniqueConstraint(
                fields=["account", "usage_id"],
                condition=~Q(usage_id=""),
                name="one_entry_per_usage_record",
            ),
            models.CheckConstraint(
                condition=~Q(amount=0),
                name="an_entry_moves_the_balance",
            ),
        ]
        indexes = [
            # What is not usage is little: the forecast takes it out of the balance's change, and
            # staff look for it.
            models.Index(
                fields=["account", "sequence"],
                condition=~Q(kind=EntryKind.USAGE),
                name="entries_but_usage",
            ),
            # Of one account by time, beside everything else that happened to it.
            models.Index(
                fields=["account", "-created_at", "-id"],
                condition=~Q(kind=EntryKind.USAGE),
                name="entries_but_usage_by_time",
            ),
            models.Index(
                fields=["kind", "-id"],
                condition=~Q(kind=EntryKind.USAGE),
                name="entries_of_a_kind",
            ),
            # Entries come in the order of time: a few blocks of this index lead to a day's.
            # What is not summarized yet would all be read, so it is as soon as a range is full.
            BrinIndex(fields=["created_at"], name="entries_by_time", autosummarize=True),
            models.Index(
                fields=["transaction"],
                condition=Q(transaction__isnull=False),
                name="entries_of_transaction",
            ),
            models.Index(
                fields=["refund"], condition=Q(refund__isnull=False), name="entries_of_refund"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sequence}: {self.amount}"
