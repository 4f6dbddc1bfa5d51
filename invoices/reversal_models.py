"""Money that goes back: refunds to the card, and disputes with the card holder's bank."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from djmoney.models.fields import MoneyField
from djmoney.money import Money

from accounts.models import Account
from accounts.reasons import LONGEST_REASON


class RefundStatus(models.TextChoices):
    """`succeeded` becomes `failed` when the bank hands the money back to us."""

    PENDING = "pending", _("Pending")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")


class RefundOrigin(models.TextChoices):
    """Where somebody decided to refund."""

    PORTAL = "portal", _("Here")
    STRIPE = "stripe", _("Stripe's dashboard")


class Refund(models.Model):
    """Money of one paid transaction on its way back to the card.

    One made here is committed before Stripe is asked, and its number is the idempotency key of
    what is asked (invariant I4). One made in Stripe's dashboard is recorded when it is told.
    Pending and succeeded refunds together never exceed the payment, and `refunded_amount` of the
    transaction follows the succeeded ones: triggers see to both (invariant I10).
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="refunds")
    transaction = models.ForeignKey(
        "invoices.Transaction", on_delete=models.PROTECT, related_name="refunds"
    )
    number = models.CharField(max_length=32, unique=True)
    status = models.CharField(max_length=16, choices=RefundStatus, default=RefundStatus.PENDING)
    origin = models.CharField(max_length=16, choices=RefundOrigin)
    amount = MoneyField(max_digits=12, decimal_places=2, default_currency="USD")
    tax_amount = MoneyField(
        max_digits=12,
        decimal_places=2,
        default_currency="USD",
        default=0,
        help_text="The part of the amount that is tax.",
    )
    charged_amount = MoneyField(
        max_digits=12, decimal_places=3, default_currency="OMR", help_text="What the card gets."
    )
    reason = models.CharField(max_length=LONGEST_REASON, help_text="Why, for colleagues.")
    request_key = models.CharField(
        max_length=100,
        blank=True,
        help_text="Of the form that asked for it: sent again, it leads to this refund.",
    )
    stripe_refund_id = models.CharField(max_length=255, blank=True)
    stripe_status = models.CharField(
        max_length=32, blank=True, help_text="What Stripe last said of it while it was pending."
    )
    failure_message = models.CharField(max_length=500, blank=True)
    credit_note_number = models.CharField(max_length=32, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT
    )
    limit_of_maker = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="Up to what (USD) they refunded alone then.",
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="approved_refunds",
        help_text="A second person who agreed to it, where one was asked.",
    )
    created_at = models.DateTimeField()
    asked_at = models.DateTimeField(
        null=True, blank=True, help_text="When Stripe was last asked about it."
    )
    succeeded_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["Refund"]] = models.Manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [("export_refunds", "Can export refunds")]
        constraints = [
            models.UniqueConstraint(
                fields=["stripe_refund_id"],
                condition=~Q(stripe_refund_id=""),
                name="one_refund_per_stripe_refund",
            ),
            models.UniqueConstraint(
                fields=["transaction", "request_key"],
                condition=~Q(request_key=""),
                name="one_refund_per_request",
            ),
            models.UniqueConstraint(
                fields=["credit_note_number"],
                condition=~Q(credit_note_number=""),
                name="one_refund_per_credit_note_number",
            ),
            models.CheckConstraint(
                condition=Q(charged_amount__gt=0)
                & (Q(amount__gt=0) | Q(amount=0, origin=RefundOrigin.STRIPE)),
                name="a_refund_gives_something_back",
            ),
            models.CheckConstraint(
                condition=Q(tax_amount__gte=0, tax_amount__lte=F("amount")),
                name="refunded_tax_is_a_part_of_the_refund",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="a_refund_has_a_reason"),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True)
                | Q(made_by__isnull=False) & ~Q(approved_by=F("made_by")),
                name="who_approves_a_refund_did_not_make_it",
            ),
            models.CheckConstraint(
                condition=~Q(status=RefundStatus.SUCCEEDED)
                | Q(succeeded_at__isnull=False) & ~Q(stripe_refund_id=""),
                name="a_succeeded_refund_is_known_to_stripe",
            ),
            models.CheckConstraint(
                condition=~Q(status=RefundStatus.FAILED) | Q(failed_at__isnull=False),
                name="a_failed_refund_says_when",
            ),
            models.CheckConstraint(
                condition=Q(credit_note_number="") | Q(succeeded_at__isnull=False),
                name="a_credit_note_is_of_a_refund_that_succeeded",
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(status=RefundStatus.PENDING),
                name="pending_refunds",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def net_amount(self) -> Money:
        """The part without tax (USD): what leaves the wallet, where credit was bought."""
        return self.amount - self.tax_amount


class DisputeStatus(models.TextChoices):
    """How far a dispute has come; it never goes back in this order.

    An inquiry only asks: no money moves unless it becomes a dispute. One that the card holder
    withdraws is won.
    """

    INQUIRY = "inquiry", _("Inquiry")
    DISMISSED = "dismissed", _("Inquiry closed")
    OPENED = "opened", _("Opened")
    UNDER_REVIEW = "under_review", _("Under review")
    LOST = "lost", _("Lost")
    WON = "won", _("Won")


#: The bank has the money: the credit that it bought is gone, and it can't be refunded.
HOLDING_STATUSES = (DisputeStatus.OPENED, DisputeStatus.UNDER_REVIEW, DisputeStatus.LOST)
#: The bank has decided.
CLOSED_STATUSES = (DisputeStatus.DISMISSED, DisputeStatus.LOST, DisputeStatus.WON)


class Dispute(models.Model):
    """A card holder's complaint to the bank about a paid transaction.

    `amount` is what of the payment it holds: no more than refunds had left of it.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="disputes")
    transaction = models.ForeignKey(
        "invoices.Transaction", on_delete=models.PROTECT, related_name="disputes"
    )
    status = models.CharField(max_length=16, choices=DisputeStatus)
    amount = MoneyField(max_digits=12, decimal_places=2, default_currency="USD")
    tax_amount = MoneyField(
        max_digits=12,
        decimal_places=2,
        default_currency="USD",
        default=0,
        help_text="The part of the amount that is tax.",
    )
    charged_amount = MoneyField(
        max_digits=12, decimal_places=3, default_currency="OMR", help_text="As Stripe says it."
    )
    reason = models.CharField(max_length=64, help_text="The bank's, in Stripe's words.")
    stripe_dispute_id = models.CharField(max_length=255, unique=True)
    stripe_charge_id = models.CharField(max_length=255)
    evidence_due_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(help_text="When Stripe last told how it stands.")
    taken_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When it was recorded here that the bank took the money. Books are kept by it.",
    )
    returned_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was recorded here that the bank returned it."
    )

    objects: ClassVar[models.Manager["Dispute"]] = models.Manager()

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=0, tax_amount__gte=0, tax_amount__lte=F("amount")),
                name="a_dispute_holds_an_amount",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=False, status__in=CLOSED_STATUSES)
                | Q(closed_at__isnull=True) & ~Q(status__in=CLOSED_STATUSES),
                name="a_closed_dispute_says_when",
            ),
            models.CheckConstraint(
                condition=Q(returned_at__isnull=True) | Q(taken_at__isnull=False),
                name="a_dispute_returns_what_it_took",
            ),
        ]
        indexes = [
            models.Index(
                fields=["asked_at"],
                condition=Q(closed_at__isnull=True),
                name="open_disputes",
            ),
            models.Index(fields=["stripe_charge_id"], name="disputes_by_charge"),
        ]

    def __str__(self) -> str:
        return self.stripe_dispute_id

    @property
    def net_amount(self) -> Money:
        """The part without tax (USD): the credit it holds, where credit was bought."""
        return self.amount - self.tax_amount

    @property
    def is_holding(self) -> bool:
        """Whether the bank has the money."""
        return self.status in HOLDING_STATUSES

    @property
    def reason_in_words(self) -> str:
        """The bank's reason, readable: `product not received`."""
        return self.reason.replace("_", " ")


class PaymentQuestion(models.Model):
    """A payment to ask Stripe about: news came that could not be settled from themselves.

    Recorded with the news, and gone once Stripe has answered; whatever happens to the nudge that
    goes with it, the sweeper finds it here.
    """

    payment_intent_id = models.CharField(max_length=255, unique=True)
    raised_at = models.DateTimeField()

    objects: ClassVar[models.Manager["PaymentQuestion"]] = models.Manager()

    def __str__(self) -> str:
        return self.payment_intent_id
