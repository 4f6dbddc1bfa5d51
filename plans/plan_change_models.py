"""Plan changes: from one plan version to another, at once or at the next renewal."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from invoices.models import Transaction
from plans.catalogue_models import PlanVersion
from plans.subscription_models import Renewal, Subscription


class PlanChangeStatus(models.TextChoices):
    """`processing` is being charged, `scheduled` waits for the renewal; `applied` is final."""

    PROCESSING = "processing", _("Being charged")
    SCHEDULED = "scheduled", _("At the next renewal")
    APPLIED = "applied", _("In force")
    FAILED = "failed", _("Payment failed")
    CANCELED = "canceled", _("Taken back")


class PlanChange(models.Model):
    """A subscription's move to another plan version.

    A paid period never changes: its renewal keeps the version it was paid for. An applied change
    says from when on within that period (`renewal`, `effective_at`) another version's prices hold.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="plan_changes")
    subscription = models.ForeignKey(
        Subscription, on_delete=models.PROTECT, related_name="plan_changes"
    )
    from_version = models.ForeignKey(
        PlanVersion, on_delete=models.PROTECT, related_name="changes_from"
    )
    to_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="changes_to")
    status = models.CharField(max_length=16, choices=PlanChangeStatus)
    period_number = models.PositiveIntegerField(help_text="The period in which it was asked for.")
    renewal = models.ForeignKey(
        Renewal,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="plan_changes",
        help_text="The period in which it came into force.",
    )
    effective_at = models.DateTimeField(null=True, blank=True)
    transaction = models.OneToOneField(
        Transaction,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="plan_change",
        help_text="What was charged for the rest of the period.",
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT
    )
    reason = models.CharField(max_length=2000, blank=True, help_text="Staff's reason.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription"],
                condition=Q(status=PlanChangeStatus.SCHEDULED),
                name="one_scheduled_plan_change_per_subscription",
            ),
            models.UniqueConstraint(
                fields=["subscription"],
                condition=Q(status=PlanChangeStatus.PROCESSING),
                name="one_plan_change_is_charged_at_a_time",
            ),
            models.CheckConstraint(
                condition=~Q(from_version=F("to_version")), name="a_plan_change_changes_the_version"
            ),
            models.CheckConstraint(
                condition=Q(
                    status=PlanChangeStatus.APPLIED,
                    effective_at__isnull=False,
                    renewal__isnull=False,
                )
                | ~Q(status=PlanChangeStatus.APPLIED)
                & Q(effective_at__isnull=True, renewal__isnull=True),
                name="an_applied_plan_change_says_from_when",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[PlanChangeStatus.PROCESSING, PlanChangeStatus.FAILED])
                | Q(transaction__isnull=False),
                name="a_charged_plan_change_has_its_transaction",
            ),
        ]
        indexes = [models.Index(fields=["account", "renewal"], name="plan_changes_of_period")]

    def __str__(self) -> str:
        return f"{self.from_version_id} → {self.to_version_id} of {self.subscription_id}"


class SubscriberMove(models.Model):
    """Staff's order to move all who are on another version of a plan at their next renewal.

    It is carried out account by account; until `finished_at` the next sweep goes on with it.
    """

    plan_version = models.ForeignKey(
        PlanVersion, on_delete=models.PROTECT, related_name="subscriber_moves"
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT
    )
    reason = models.CharField(max_length=2000)
    tells_customers = models.BooleanField(
        default=True, help_text="Each customer is told by e-mail of the plan and its price."
    )
    moved = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan_version"],
                condition=Q(finished_at__isnull=True),
                name="one_unfinished_move_to_a_version",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="a_subscriber_move_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"Move to {self.plan_version_id}"
