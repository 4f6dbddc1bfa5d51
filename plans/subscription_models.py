"""Subscriptions, their billed periods, and the rentals held."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from djmoney.models.fields import MoneyField

from accounts.models import Account
from invoices.models import Transaction
from plans.catalogue_models import Feature, PlanVersion


class SubscriptionStatus(models.TextChoices):
    """The states of DESIGN.md section 6."""

    INACTIVE = "inactive", _("Inactive")
    ACTIVE = "active", _("Active")
    PAST_DUE = "past_due", _("Past due")
    CANCELED = "canceled", _("Canceled")


#: A subscription in force: it has periods, and usage is rated by it.
CURRENT_STATUSES = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


class Subscription(models.Model):
    """An account's plan. `anchor` is its first moment; every period follows from it.

    A subscription to a plan that costs something is `inactive`, without an anchor, until its first
    period is paid. Subscribing to another plan ends the one before: `ended_at`.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="subscriptions")
    plan_version = models.ForeignKey(
        PlanVersion, on_delete=models.PROTECT, related_name="subscriptions"
    )
    status = models.CharField(
        max_length=16, choices=SubscriptionStatus, default=SubscriptionStatus.INACTIVE
    )
    anchor = models.DateTimeField(null=True, blank=True)
    current_period_number = models.PositiveIntegerField(default=0)
    current_period_start = models.DateTimeField(null=True, blank=True)
    current_period_end = models.DateTimeField(null=True, blank=True)
    cancel_at_period_end = models.BooleanField(default=False)
    past_due_since = models.DateTimeField(null=True, blank=True)
    grace_until = models.DateTimeField(
        null=True, blank=True, help_text="Staff let services go on until then, unpaid."
    )
    reminded_period_number = models.PositiveIntegerField(
        default=0, help_text="The last period whose charge was announced by e-mail."
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [
            ("extend_grace", "Can let services go on while a renewal is unpaid"),
            ("reset_usage_cycle", "Can give back what a period includes"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(status__in=CURRENT_STATUSES),
                name="one_current_subscription_per_account",
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(status=SubscriptionStatus.INACTIVE),
                name="one_inactive_subscription_per_account",
            ),
            models.CheckConstraint(
                condition=Q(status=SubscriptionStatus.INACTIVE, anchor__isnull=True)
                | ~Q(status=SubscriptionStatus.INACTIVE),
                name="an_inactive_subscription_has_not_begun",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=CURRENT_STATUSES)
                | Q(
                    anchor__isnull=False,
                    current_period_start__isnull=False,
                    current_period_end__isnull=False,
                    current_period_number__gte=1,
                    ended_at__isnull=True,
                ),
                name="a_current_subscription_has_a_period",
            ),
            models.CheckConstraint(
                condition=Q(status=SubscriptionStatus.PAST_DUE, past_due_since__isnull=False)
                | ~Q(status=SubscriptionStatus.PAST_DUE) & Q(past_due_since__isnull=True),
                name="past_due_says_since_when",
            ),
            models.CheckConstraint(
                condition=Q(grace_until__isnull=True) | Q(status=SubscriptionStatus.PAST_DUE),
                name="grace_is_for_what_is_past_due",
            ),
        ]
        indexes = [
            models.Index(
                fields=["current_period_end", "id"],
                condition=Q(status__in=CURRENT_STATUSES),
                name="subscriptions_to_renew",
            )
        ]

    def __str__(self) -> str:
        return f"{self.plan_version} of {self.account_id}"


class RenewalStatus(models.TextChoices):
    """Whether a period has been paid for. `void`: the subscription was canceled, unpaid."""

    DUE = "due", "Due"
    PAID = "paid", "Paid"
    VOID = "void", "Void"


class Renewal(models.Model):
    """Period `number` of a subscription: what it costs and whether it is paid.

    Billed once (invariant I7): unique, with start and end computed from the anchor and CHECKed.
    A period that costs nothing is `paid` without a transaction. Its allowance is granted when it
    is paid.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="renewals")
    subscription = models.ForeignKey(
        Subscription, on_delete=models.PROTECT, related_name="renewals"
    )
    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="renewals")
    number = models.PositiveIntegerField()
    anchor = models.DateTimeField()
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    amount = MoneyField(max_digits=12, decimal_places=2, default_currency="USD")
    status = models.CharField(max_length=16, choices=RenewalStatus, default=RenewalStatus.DUE)
    transaction = models.OneToOneField(
        Transaction,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="renewal",
        help_text="The paid transaction.",
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["Renewal"]] = models.Manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "subscription", "number"], name="a_period_is_billed_once"
            ),
            models.CheckConstraint(condition=Q(number__gte=1), name="periods_count_from_one"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="renewal_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(status=RenewalStatus.PAID, paid_at__isnull=False)
                & (Q(amount=0) | Q(transaction__isnull=False))
                | ~Q(status=RenewalStatus.PAID) & Q(paid_at__isnull=True, transaction__isnull=True),
                name="a_paid_renewal_was_free_or_has_its_transaction",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(status=RenewalStatus.DUE),
                name="renewals_to_charge",
            ),
            models.Index(
                fields=["account", "period_start", "period_end"], name="periods_of_account"
            ),
            models.Index(fields=["created_at"], name="periods_by_time"),
            models.Index(
                fields=["paid_at"], condition=Q(paid_at__isnull=False), name="periods_by_payment"
            ),
        ]

    def __str__(self) -> str:
        return f"Period {self.number} of subscription {self.subscription_id}"


class RentalVia(models.TextChoices):
    """Where a rental was taken or released."""

    DASHBOARD = "dashboard", _("Dashboard")
    ADMIN = "admin", _("Support")
    API = "api", _("Platform")
    RENEWAL = "renewal", _("Release at renewal")
    PLAN = "plan", _("Not in the new plan")


class Rental(models.Model):
    """How many of a rental an account held from when to when; the open row is what it holds.

    A row without `started_at` was asked for and takes effect when its transaction is paid.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="rentals")
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT, related_name="rentals")
    quantity = models.PositiveIntegerField()
    quantity_at_renewal = models.PositiveIntegerField(
        null=True, blank=True, help_text="A smaller number asked for, from the next period on."
    )
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    via = models.CharField(max_length=16, choices=RentalVia, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text="Who asked for this quantity, when it was a person.",
    )
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ["feature__position", "-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "feature"],
                condition=Q(ended_at__isnull=True, started_at__isnull=False),
                name="one_open_rental_per_feature",
            ),
            models.CheckConstraint(
                condition=Q(quantity_at_renewal__isnull=True)
                | Q(quantity_at_renewal__lt=F("quantity")),
                name="only_a_release_waits_for_renewal",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.feature_id}"
