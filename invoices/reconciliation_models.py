"""The nightly comparison of Stripe's payments with ours: its runs, and what they found."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Account


class Phase(models.TextChoices):
    """What a run is walking through."""

    STRIPE = "stripe", "Stripe's payments"
    PORTAL = "portal", "Our transactions"
    DONE = "done", "Done"


class ReconciliationRun(models.Model):
    """One walk through the payments of a window of time, in both directions.

    `cursor` is the last payment or transaction that was compared: a run that was cut short goes on
    from there. At most one run is unfinished: an index sees to it (migrations/0002_rules.py).
    """

    since = models.DateTimeField()
    until = models.DateTimeField()
    phase = models.CharField(max_length=16, choices=Phase, default=Phase.STRIPE)
    cursor = models.CharField(max_length=255, blank=True)
    payments = models.PositiveIntegerField(
        "payments at Stripe", default=0, help_text="Captured payments at Stripe in the window."
    )
    transactions = models.PositiveIntegerField(
        "transactions here", default=0, help_text="Paid transactions of ours in the window."
    )
    repaired = models.PositiveIntegerField(default=0)
    unexplained = models.PositiveIntegerField(
        default=0, help_text="Findings that need a person and that nobody has dealt with."
    )
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(phase=Phase.DONE, finished_at__isnull=False)
                | ~Q(phase=Phase.DONE) & Q(finished_at__isnull=True),
                name="a_run_is_done_when_it_is_finished",
            )
        ]

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}"


class SeenPayment(models.Model):
    """A paid transaction that an unfinished run has met at Stripe. Forgotten when it is done."""

    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="seen")
    transaction = models.ForeignKey(
        "invoices.Transaction", on_delete=models.CASCADE, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "transaction"], name="a_payment_is_seen_once")
        ]

    def __str__(self) -> str:
        return f"{self.transaction_id} in run {self.run_id}"


class FindingKind(models.TextChoices):
    """What is not the same there and here. The first three were repaired; the others never are."""

    PAYMENT_REPAIRED = "payment_repaired", "Paid there and not here: carried out"
    REFUNDS_REPAIRED = "refunds_repaired", "Refunded there and not here: recorded"
    DISPUTES_REPAIRED = "disputes_repaired", "Disputed there and not so here: recorded"
    AMOUNT_DIFFERS = "amount_differs", "Another amount was captured than was asked for"
    PAID_TWICE = "paid_twice", "Captured twice for one transaction"
    UNKNOWN_PAYMENT = "unknown_payment", "Captured for no transaction of ours"
    ANOTHER_ACCOUNT = "another_account", "Captured from another account's customer"
    HOLD_CAPTURED = "hold_captured", "A card's verification hold was captured"
    NOT_CARRIED_OUT = "not_carried_out", "Paid there, and could not be carried out here"
    NOT_PAID_THERE = "not_paid_there", "Paid here and not there"
    REFUNDS_DIFFER = "refunds_differ", "What was refunded differs"


#: Findings that are settled by themselves.
REPAIRS = (
    FindingKind.PAYMENT_REPAIRED,
    FindingKind.REFUNDS_REPAIRED,
    FindingKind.DISPUTES_REPAIRED,
)


class ReconciliationFinding(models.Model):
    """One difference. Found again the next night it is the same row, until somebody deals with it;
    what the run repaired is dealt with at once.

    `subject` is what it is about: the payment's id at Stripe, or our transaction's number.
    """

    kind = models.CharField(max_length=32, choices=FindingKind)
    subject = models.CharField(max_length=255)
    account = models.ForeignKey(
        Account,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reconciliation_findings",
    )
    transaction = models.ForeignKey(
        "invoices.Transaction",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reconciliation_findings",
    )
    detail = models.CharField(max_length=500)
    first_run = models.ForeignKey(
        ReconciliationRun, on_delete=models.PROTECT, related_name="new_findings"
    )
    last_run = models.ForeignKey(
        ReconciliationRun, on_delete=models.PROTECT, related_name="findings"
    )
    found_at = models.DateTimeField()
    dealt_with_at = models.DateTimeField(null=True, blank=True)
    dealt_with_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT
    )
    note = models.TextField(blank=True, help_text="What was done about it.")

    objects: ClassVar[models.Manager["ReconciliationFinding"]] = models.Manager()

    class Meta:
        ordering = ["-found_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject"], name="a_difference_is_one_finding"),
            models.CheckConstraint(
                condition=Q(dealt_with_at__isnull=True) | ~Q(note=""),
                name="a_finding_is_dealt_with_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["last_run"],
                condition=Q(dealt_with_at__isnull=True),
                name="findings_to_deal_with",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.subject}"
