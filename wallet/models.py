"""Credit: the ledger and auto-refill. All amounts are USD."""

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from djmoney.models.fields import MoneyField

from accounts.models import Account
from invoices.models import Dispute, Refund, Transaction

#: Until the customer sets another (USD). Below the Threshold that Auto-Refill proposes, so that one
#: who uses it is told only when the refills don't keep up.
DEFAULT_LOW_BALANCE_LIMIT = Decimal("5.00")

#: What a customer may set a spend cap to at most (USD).
LARGEST_SPEND_CAP = Decimal("1000000.00")

#: What a column of 12 digits holds.
_LARGEST = Decimal("9999999999.99")


class Wallet(models.Model):
    """Prepaid credit of one account.

    `balance` and `last_sequence` are kept by the trigger on the entries: nothing else can change
    them, so a balance always equals the sum of its entries (invariant I1).

    Usage under a cap is counted by what is not usage: `unspent_balance` is what the balance would
    be had nothing been used since entry `spend_since`, after which the period began. A trigger adds
    to it whatever else moves the balance, so that usage itself has nothing more to write.
    """

    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="wallet")
    balance = models.DecimalField(max_digits=18, decimal_places=6, default=0, editable=False)
    last_sequence = models.BigIntegerField(default=0, editable=False)
    low_balance_limit = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        default=DEFAULT_LOW_BALANCE_LIMIT,
        help_text="USD. The customer is told when the balance falls below it; empty: never.",
    )
    spend_cap = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="USD that usage may cost in a period, then services pause; empty: no cap.",
    )
    unspent_balance = models.DecimalField(
        max_digits=18, decimal_places=6, null=True, blank=True, editable=False
    )
    spend_since = models.BigIntegerField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Bounded above as well: to PostgreSQL, NaN is greater than every number.
            models.CheckConstraint(
                condition=Q(low_balance_limit__gte=0, low_balance_limit__lte=100_000),
                name="low_balance_limit_is_an_amount",
            ),
            models.CheckConstraint(
                condition=Q(spend_cap__gt=0, spend_cap__lte=LARGEST_SPEND_CAP),
                name="spend_cap_is_an_amount",
            ),
            models.CheckConstraint(
                condition=Q(
                    spend_cap__isnull=True, unspent_balance__isnull=True, spend_since__isnull=True
                )
                | Q(
                    spend_cap__isnull=False,
                    unspent_balance__isnull=False,
                    spend_since__isnull=False,
                ),
                name="spend_is_counted_where_it_is_capped",
            ),
        ]

    def __str__(self) -> str:
        return f"Wallet of {self.account_id}"

    @property
    def spent(self) -> Decimal | None:
        """What usage cost since the period began (USD); None where there is no cap."""
        return None if self.unspent_balance is None else self.unspent_balance - self.balance


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


class Adjustment(models.Model):
    """Credit added or taken by staff, with a reason."""

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="adjustments")
    amount = models.DecimalField(max_digits=18, decimal_places=6)
    reason = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="approved_adjustments",
        help_text="A second person who agreed to it, where one was asked.",
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("author")),
                name="who_approves_an_adjustment_is_not_its_author",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="an_adjustment_has_a_reason"),
            models.CheckConstraint(condition=~Q(amount=0), name="an_adjustment_moves_the_balance"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.reason}"


class Entry(models.Model):
    """One signed line of the ledger with the balance after it. Append-only (invariant I2).

    Every line of usage pays for every index and every foreign key here: there is no index that no
    query reads, what is set on few entries is indexed on those only, and the trigger that moves the
    balance checks all references of a statement at once (migration 0013).
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


class ConsentAction(models.TextChoices):
    """What the customer did to Auto-Refill."""

    SWITCHED_ON = "switched_on", _("Switched on")
    CHANGED = "changed", _("Changed")
    SWITCHED_OFF = "switched_off", _("Switched off")


class AutoRefillConsent(models.Model):
    """What was agreed to about charging a card without being asked each time. Append-only.

    One row for each time it was switched on or off and each change of its amounts while on, with
    the text as it was shown.
    """

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="auto_refill_consents"
    )
    action = models.CharField(max_length=16, choices=ConsentAction)
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT
    )
    threshold = MoneyField(max_digits=12, decimal_places=2, default_currency="USD")
    amount = MoneyField("top up amount", max_digits=12, decimal_places=2, default_currency="USD")
    monthly_maximum = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    text = models.TextField(blank=True, help_text="What was agreed to, word for word.")
    created_at = models.DateTimeField()

    objects: ClassVar[models.Manager["AutoRefillConsent"]] = models.Manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "auto-refill consent"
        constraints = [
            models.CheckConstraint(
                condition=Q(action=ConsentAction.SWITCHED_OFF) | ~Q(text=""),
                name="a_consent_says_to_what",
            ),
        ]
        indexes = [models.Index(fields=["account", "-created_at"], name="consents_of_account")]

    def __str__(self) -> str:
        return self.get_action_display()


class AutoRefill(models.Model):
    """A top-up the portal makes by itself when the balance falls below the threshold."""

    wallet = models.OneToOneField(Wallet, on_delete=models.PROTECT, related_name="auto_refill")
    enabled = models.BooleanField(default=False)
    threshold = MoneyField(max_digits=12, decimal_places=2, default_currency="USD", default=10)
    amount = MoneyField(
        "top up amount", max_digits=12, decimal_places=2, default_currency="USD", default=25
    )
    monthly_maximum = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="USD it may charge in a calendar month, tax included; empty: no limit.",
    )
    consent = models.ForeignKey(
        AutoRefillConsent,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="What it charges by.",
    )
    consecutive_failures = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(
        null=True, blank=True, help_text="After a decline: not before this moment."
    )
    capped_until = models.DateTimeField(
        null=True, blank=True, help_text="A cap is reached: not before this moment."
    )
    suspended_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["AutoRefill"]] = models.Manager()

    class Meta:
        constraints = [
            # Bounded above as well: to PostgreSQL, NaN is greater than every number.
            models.CheckConstraint(
                condition=Q(threshold__gte=0, threshold__lte=_LARGEST),
                name="threshold_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=_LARGEST), name="top_up_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(monthly_maximum__gt=0, monthly_maximum__lte=_LARGEST),
                name="monthly_maximum_positive",
            ),
            models.CheckConstraint(
                condition=Q(enabled=False) | Q(consent__isnull=False),
                name="nothing_is_charged_without_consent",
            ),
        ]

    def __str__(self) -> str:
        return f"Auto-refill of wallet {self.wallet_id}"
