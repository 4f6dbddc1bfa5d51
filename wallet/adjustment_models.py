"""Credit that staff add, take and take back, and what they ask a second person to agree to."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models import Account
from invoices.models import Refund, Transaction
from wallet.wallet_models import Wallet


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
    author_limit = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="Up to what (USD) the author adjusted alone then.",
    )
    reverses = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reversal",
        help_text="The adjustment that this one takes back.",
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [("reverse_adjustment", "Can take an adjustment back")]
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


class ApprovalKind(models.TextChoices):
    """What somebody asks for."""

    ADJUSTMENT = "adjustment", "Adjustment"
    REVERSAL = "reversal", "Reversal of an adjustment"
    REFUND = "refund", "Refund"


class ApprovalState(models.TextChoices):
    """It only goes forward; an adjustment is executed as it is approved.

    A refund is approved, and executed once Stripe has refunded. One that was given up for lost and
    is found at Stripe after all goes from failed to executed.
    """

    REQUESTED = "requested", "Waiting"
    APPROVED = "approved", "Approved"
    DECLINED = "declined", "Declined"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXECUTED = "executed", "Executed"
    FAILED = "failed", "Failed"
    EXPIRED = "expired", "Expired"


class ApprovalRequest(models.Model):
    """What a member of staff asks somebody else to agree to: an adjustment or a refund.

    What was asked for never changes, it is used for at most one effect, and the effect is what was
    asked for: triggers see to it (invariant I15).
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="approval_requests")
    kind = models.CharField(max_length=16, choices=ApprovalKind)
    amount = models.DecimalField(
        max_digits=12, decimal_places=2, help_text="USD; what is deducted is negative."
    )
    transaction = models.ForeignKey(
        Transaction,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="approval_requests",
    )
    reverses = models.ForeignKey(
        Adjustment,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reversal_requests",
    )
    reason = models.CharField(max_length=500)
    request_key = models.CharField(
        max_length=100, unique=True, help_text="Of the form: sent again, it leads to this request."
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="approvals_asked_for"
    )
    limit_at_request = models.DecimalField(
        max_digits=12, decimal_places=2, help_text="Up to what (USD) they did it alone then."
    )
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=ApprovalState, default=ApprovalState.REQUESTED)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="approvals_decided",
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=500, blank=True)
    failure_message = models.CharField(max_length=500, blank=True)
    adjustment = models.OneToOneField(
        Adjustment, null=True, blank=True, on_delete=models.PROTECT, related_name="approval"
    )
    refund = models.OneToOneField(
        Refund, null=True, blank=True, on_delete=models.PROTECT, related_name="approval"
    )

    class Meta:
        ordering = ["-requested_at", "-id"]
        permissions = [
            ("decide_approval", "Can approve or decline what a colleague asks for"),
            ("ask_for_refund", "Can ask for a refund that somebody else approves"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="requested", decided_by__isnull=True, decided_at__isnull=True)
                | Q(
                    state="expired",
                    decided_by__isnull=True,
                    decided_at__isnull=False,
                    decided_at__gt=F("expires_at"),
                )
                | Q(state="withdrawn", decided_by=F("requested_by"), decided_at__isnull=False)
                | Q(
                    state__in=["approved", "declined", "executed", "failed"],
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                )
                & ~Q(decided_by=F("requested_by")),
                name="who_decides_is_not_who_asked",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["requested", "expired"]) | ~Q(decision_reason=""),
                name="a_decision_has_a_reason",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="what_is_asked_has_a_reason"),
            models.CheckConstraint(
                condition=~Q(state="failed") | ~Q(failure_message=""),
                name="what_failed_says_why",
            ),
            models.CheckConstraint(
                condition=Q(kind="adjustment", transaction__isnull=True, reverses__isnull=True)
                & ~Q(amount=0)
                | Q(kind="reversal", transaction__isnull=True, reverses__isnull=False)
                & ~Q(amount=0)
                | Q(
                    kind="refund",
                    transaction__isnull=False,
                    reverses__isnull=True,
                    amount__gt=0,
                ),
                name="what_is_asked_is_said_whole",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=["requested", "declined", "withdrawn", "expired"],
                    adjustment__isnull=True,
                    refund__isnull=True,
                )
                | Q(state="failed", adjustment__isnull=True)
                | Q(state="approved", adjustment__isnull=True, refund__isnull=False)
                | Q(state="executed", adjustment__isnull=False, refund__isnull=True)
                & ~Q(kind="refund")
                | Q(
                    state="executed",
                    kind="refund",
                    adjustment__isnull=True,
                    refund__isnull=False,
                ),
                name="what_was_approved_has_its_effect",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "executed"])
                | Q(decided_at__lte=F("expires_at")),
                name="what_has_expired_is_not_approved",
            ),
            models.UniqueConstraint(
                fields=["reverses"],
                condition=Q(state="requested", reverses__isnull=False),
                name="one_open_request_to_reverse_an_adjustment",
            ),
        ]
        indexes = [
            models.Index(
                fields=["-requested_at"],
                condition=Q(state="requested"),
                name="approvals_that_wait",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    def waits(self, *, now: datetime) -> bool:
        """Whether it can still be decided on."""
        return self.state == ApprovalState.REQUESTED and now <= self.expires_at
