"""What was used: allowances and the records the platform reports."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from accounts.models import Account
from plans.catalogue_models import Feature, PlanVersion
from plans.subscription_models import Renewal

#: A quantity the platform may report (DESIGN.md section 8).
MAXIMUM_QUANTITY = 1_000_000_000


class Allowance(models.Model):
    """A consumable in a period: what was granted, drawn from it, and billed beyond it.

    The row appears when the period is paid or when the feature is first used, whichever comes
    first; until the period is paid nothing is included. `billed_quantity` decides the volume tier.
    """

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="allowances", db_index=False
    )
    renewal = models.ForeignKey(Renewal, on_delete=models.PROTECT, related_name="allowances")
    feature = models.ForeignKey(
        Feature, on_delete=models.PROTECT, related_name="allowances", db_index=False
    )
    included = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    used = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    billed_quantity = models.DecimalField(max_digits=18, decimal_places=6, default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "renewal", "feature"], name="one_allowance_per_period"
            ),
            models.CheckConstraint(
                condition=Q(used__gte=0) & Q(used__lte=F("included")) & Q(billed_quantity__gte=0),
                name="used_never_exceeds_granted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.used} of {self.included} {self.feature_id}"


class UsageRecord(models.Model):
    """A record the platform reported, and how it was rated. Append-only (invariant I2).

    It keeps everything that explains the charge to a customer: what was left of the allowance,
    the price, and the balance before and after. Every record pays for every index and
    every foreign key: there is no index that no query reads, and one trigger checks the references
    of all records of a statement at once (`check_usage`).
    """

    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        related_name="usage_records",
        db_index=False,
        db_constraint=False,
    )
    record_id = models.CharField(max_length=200, help_text="The platform's id of the record.")
    feature = models.ForeignKey(
        Feature,
        on_delete=models.PROTECT,
        related_name="usage_records",
        db_index=False,
        db_constraint=False,
    )
    renewal = models.ForeignKey(
        Renewal,
        on_delete=models.PROTECT,
        related_name="usage_records",
        db_index=False,
        db_constraint=False,
    )
    plan_version = models.ForeignKey(
        PlanVersion,
        on_delete=models.PROTECT,
        related_name="usage_records",
        db_index=False,
        db_constraint=False,
    )
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    included_quantity = models.DecimalField(max_digits=18, decimal_places=6)
    billed_quantity = models.DecimalField(max_digits=18, decimal_places=6)
    unit_price = models.DecimalField(max_digits=18, decimal_places=8)
    amount = models.DecimalField(max_digits=18, decimal_places=6)
    included_before = models.DecimalField(
        max_digits=18, decimal_places=6, help_text="What was left of the allowance before it."
    )
    billed_before = models.DecimalField(
        max_digits=18, decimal_places=6, help_text="Units billed in the period before it."
    )
    balance_before = models.DecimalField(max_digits=18, decimal_places=6)
    balance_after = models.DecimalField(max_digits=18, decimal_places=6)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    workspace = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-occurred_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                # By its id, which staff know and which mostly grows; others begin with the account.
                fields=["record_id", "account"],
                name="a_record_is_charged_once",
            ),
            models.CheckConstraint(
                condition=Q(quantity=F("included_quantity") + F("billed_quantity"))
                & Q(included_quantity__gte=0)
                & Q(billed_quantity__gte=0)
                & Q(quantity__lte=MAXIMUM_QUANTITY)
                & Q(included_quantity__lte=F("included_before")),
                name="included_and_billed_make_the_quantity",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0) & Q(balance_after=F("balance_before") - F("amount")),
                name="the_amount_lowers_the_balance",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-occurred_at", "-id"], name="usage_history"),
            # Of those who use more than is included they are few and far between.
            models.Index(
                fields=["account", "-occurred_at", "-id"],
                name="usage_free_of_charge",
                condition=Q(amount=0),
            ),
            # What came since the sums of days (daily_spend.py): ids grow in the order of commits.
            models.Index(fields=["account", "id"], name="usage_as_recorded"),
            # Of all accounts, a range of time. Records are written as they come, some are late.
            # What is not summarized yet would all be read, so it is as soon as a range is full.
            BrinIndex(fields=["recorded_at"], name="usage_by_time_recorded", autosummarize=True),
            BrinIndex(
                fields=["occurred_at"],
                autosummarize=True,
                opclasses=["timestamptz_minmax_multi_ops"],
                name="usage_by_time_occurred",
            ),
        ]

    def __str__(self) -> str:
        return self.record_id
