"""Real money: every line of Billing History.

Django wants all models importable from here; what goes back is in reversal_models.py, the
comparison with Stripe in reconciliation_models.py.
"""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from djmoney.models.fields import MoneyField
from djmoney.money import Money

from accounts.models import Account, Card
from invoices.reconciliation_models import ReconciliationFinding, ReconciliationRun, SeenPayment
from invoices.reversal_models import (
    HOLDING_STATUSES,
    Dispute,
    DisputeStatus,
    PaymentQuestion,
    Refund,
    RefundOrigin,
    RefundStatus,
)

__all__ = [
    "HOLDING_STATUSES",
    "OPEN_STATUSES",
    "SMALLEST_CHARGE",
    "Dispute",
    "DisputeStatus",
    "Line",
    "PaymentQuestion",
    "Purpose",
    "ReceiptSequence",
    "ReconciliationFinding",
    "ReconciliationRun",
    "Refund",
    "RefundOrigin",
    "RefundStatus",
    "SeenPayment",
    "Status",
    "Transaction",
]


class Purpose(models.TextChoices):
    """What a transaction pays for. Each is registered in purposes.py by the app that sells it."""

    TOP_UP = "top_up", _("Top-up")
    AUTO_REFILL = "auto_refill", _("Auto-refill")
    RENEWAL = "renewal", _("Renewal")
    PLAN_CHANGE = "plan_change", _("Plan")
    RENTAL = "rental", _("Rental")


class Status(models.TextChoices):
    """The states of DESIGN.md section 6; `paid` is final."""

    CHECKOUT = "checkout", _("Checkout")
    PROCESSING = "processing", _("Processing")
    PAID = "paid", _("Paid")
    FAILED = "failed", _("Failed")


#: Stripe refuses charges worth less than about half a dollar (docs.stripe.com/currencies). What
#: would cost less (USD, net) is waived by whoever sells it.
SMALLEST_CHARGE = Decimal("0.60")

#: States in which the bank may still take the money.
OPEN_STATUSES = (Status.CHECKOUT, Status.PROCESSING)


class Transaction(models.Model):
    """One attempt to move real money for one purpose.

    The row is committed before Stripe is asked for anything, and its id is the idempotency key
    of what is asked (invariant I4). Rate, USD and OMR are fixed when it is opened.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="transactions")
    number = models.CharField(max_length=32, unique=True)
    purpose = models.CharField(max_length=16, choices=Purpose)
    status = models.CharField(max_length=16, choices=Status)
    subject_id = models.BigIntegerField(
        null=True, blank=True, help_text="The row of the purpose's own app that this pays for."
    )
    obligation = models.CharField(
        max_length=100,
        blank=True,
        help_text="What is owed. While one attempt at it is open, no second one is opened.",
    )
    request_key = models.CharField(
        max_length=100,
        blank=True,
        help_text="Of the form that asked for it: sent again, it leads to this attempt.",
    )
    amount = MoneyField(max_digits=12, decimal_places=2, default_currency="USD")
    charged_amount = MoneyField(max_digits=12, decimal_places=3, default_currency="OMR")
    exchange_rate = models.DecimalField(max_digits=12, decimal_places=6)
    tax_rate = models.DecimalField(
        max_digits=5, decimal_places=2, default=0, help_text="Percent, on top of the net amount."
    )
    tax_amount = MoneyField(
        max_digits=12,
        decimal_places=2,
        default_currency="USD",
        default=0,
        help_text="The part of the amount that is tax; it has a line of its own.",
    )
    refunded_amount = MoneyField(max_digits=12, decimal_places=2, default_currency="USD", default=0)
    card = models.ForeignKey(
        Card, null=True, blank=True, on_delete=models.PROTECT, related_name="transactions"
    )
    card_brand = models.CharField(max_length=32, blank=True)
    card_last4 = models.CharField(max_length=4, blank=True)
    stripe_payment_intent_id = models.CharField(max_length=255, blank=True)
    stripe_checkout_session_id = models.CharField(max_length=255, blank=True)
    checkout_url = models.URLField(max_length=2000, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    expired_at = models.DateTimeField(null=True, blank=True)
    is_on_session = models.BooleanField(
        default=False, help_text="The customer was there: their bank may ask them to confirm it."
    )
    confirmable_until = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Set while the payment waits at Stripe for the customer to confirm it with "
        "their bank; after that it is canceled there.",
    )
    supersedes = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="superseded_by",
        help_text="The earlier attempt at the same obligation that waited for a confirmation.",
    )
    failure_code = models.CharField(max_length=64, blank=True)
    failure_message = models.CharField(max_length=500, blank=True)
    receipt_number = models.CharField(max_length=32, blank=True)
    seller = models.JSONField(
        default=dict, blank=True, help_text="Who sold it, as it was when it was paid."
    )
    billed_to = models.JSONField(
        default=dict, blank=True, help_text="Who bought it, as it was when it was paid."
    )
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT
    )
    created_at = models.DateTimeField()
    asked_at = models.DateTimeField(
        null=True, blank=True, help_text="When Stripe was last asked about it."
    )
    paid_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["Transaction"]] = models.Manager()

    class Meta:
        permissions = [
            ("export_transactions", "Can export transactions"),
            ("ask_stripe", "Can ask Stripe at once what became of a payment"),
            ("retry_transaction", "Can charge again what failed"),
        ]
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "obligation"],
                condition=Q(status__in=OPEN_STATUSES) & ~Q(obligation=""),
                name="one_open_attempt_per_obligation",
            ),
            models.UniqueConstraint(
                fields=["account", "request_key"],
                condition=~Q(request_key=""),
                name="one_attempt_per_request",
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(purpose=Purpose.AUTO_REFILL, status=Status.PROCESSING),
                name="one_open_refill_per_account",
            ),
            models.UniqueConstraint(
                fields=["stripe_payment_intent_id"],
                condition=~Q(stripe_payment_intent_id=""),
                name="one_transaction_per_payment_intent",
            ),
            models.UniqueConstraint(
                fields=["stripe_checkout_session_id"],
                condition=~Q(stripe_checkout_session_id=""),
                name="one_transaction_per_checkout_session",
            ),
            models.UniqueConstraint(
                fields=["receipt_number"],
                condition=~Q(receipt_number=""),
                name="one_transaction_per_receipt_number",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="transaction_amount_positive"),
            models.CheckConstraint(
                condition=Q(charged_amount__gt=0), name="transaction_charged_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(tax_amount__gte=0, tax_amount__lt=F("amount"))
                & Q(tax_rate__gte=0, tax_rate__lte=100),
                name="tax_is_a_part_of_the_amount",
            ),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0) & Q(refunded_amount__lte=F("amount")),
                name="refunds_never_exceed_the_payment",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.PAID, paid_at__isnull=False)
                & ~Q(stripe_payment_intent_id="")
                & ~Q(receipt_number="")
                | ~Q(status=Status.PAID) & Q(paid_at__isnull=True, receipt_number=""),
                name="paid_means_one_captured_payment_and_a_receipt",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.FAILED) | Q(failed_at__isnull=False),
                name="a_failed_transaction_says_when",
            ),
            models.CheckConstraint(
                condition=Q(confirmable_until__isnull=True)
                | Q(status__in=[Status.PROCESSING, Status.FAILED])
                & ~Q(stripe_payment_intent_id=""),
                name="only_an_unpaid_payment_waits_for_confirmation",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-created_at", "-id"], name="billing_history"),
            # The last attempts of one purpose, however many payments there were for another.
            models.Index(
                fields=["account", "purpose", "-created_at", "-id"], name="attempts_by_purpose"
            ),
            # What the hourly audit looks at: what came and what was settled since a moment.
            models.Index(fields=["created_at"], name="transactions_by_time"),
            models.Index(
                fields=["paid_at"],
                condition=Q(paid_at__isnull=False),
                name="transactions_by_payment",
            ),
            models.Index(
                fields=["failed_at"],
                condition=Q(failed_at__isnull=False),
                name="transactions_by_failure",
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(status__in=OPEN_STATUSES),
                name="open_transactions",
            ),
            # One paid on Stripe's page has no saved card, and is found by that card's number, too.
            models.Index(
                fields=["card_last4"],
                condition=Q(card__isnull=True) & ~Q(card_last4=""),
                name="transactions_by_last_four",
            ),
            # Staff's list of all accounts, narrowed: however few there are among how many.
            models.Index(fields=["status", "-id"], name="transactions_by_status"),
            models.Index(fields=["purpose", "-id"], name="transactions_by_purpose"),
            models.Index(
                fields=["account", "confirmable_until"],
                condition=Q(confirmable_until__isnull=False),
                name="waiting_for_confirmation",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def net_amount(self) -> Money:
        """What was bought, without tax (USD): what a top-up credits, what a period costs."""
        return self.amount - self.tax_amount

    @property
    def is_open(self) -> bool:
        """Whether the bank may still take the money by itself."""
        return self.status in OPEN_STATUSES

    def can_be_confirmed(self, now: datetime) -> bool:
        """Whether it waits for the customer to confirm it with their bank."""
        return self.confirmable_until is not None and self.confirmable_until > now

    @property
    def is_expired(self) -> bool:
        """Whether this is a payment page that can't be paid any more."""
        return self.expired_at is not None


class Line(models.Model):
    """What a transaction is made of; the lines sum to its amount."""

    transaction = models.ForeignKey(Transaction, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField()
    description = models.CharField(max_length=300)
    quantity = models.DecimalField(max_digits=18, decimal_places=6, default=1)
    unit = models.CharField(max_length=50, blank=True, help_text="Singular: number, seat.")
    unit_price = MoneyField(max_digits=18, decimal_places=8, default_currency="USD")
    amount = MoneyField(max_digits=12, decimal_places=2, default_currency="USD")
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    is_tax = models.BooleanField(
        default=False, help_text="What is added to the net amount of the lines before it."
    )

    objects: ClassVar[models.Manager["Line"]] = models.Manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["transaction", "position"], name="lines_are_ordered")
        ]

    def __str__(self) -> str:
        return self.description


class ReceiptSequence(models.Model):
    """The last number given out of a sequence: locked to hand out the next, without gaps.

    Receipts have one for each seller's prefix, credit notes another.
    """

    prefix = models.CharField(max_length=16, unique=True)
    last_number = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.prefix}-{self.last_number}"
