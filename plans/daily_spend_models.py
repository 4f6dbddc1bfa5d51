"""What was used by day: sums of the records, kept beside them."""

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Upper

from accounts.models import Account
from plans.catalogue_models import Feature
from plans.subscription_models import Renewal


class DailySpend(models.Model):
    """What a workspace used of a feature on one day of a period: sums, never the truth.

    `month` is that of the deduction: what is reported late is told apart for the statements.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    renewal = models.ForeignKey(Renewal, on_delete=models.PROTECT, related_name="+", db_index=False)
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT, related_name="+", db_index=False)
    workspace = models.CharField(max_length=200, blank=True)
    day = models.DateField(help_text="In the account's timezone.")
    month = models.DateField(help_text="The first day of the month in which it was deducted.")
    amount = models.DecimalField(max_digits=18, decimal_places=6)
    # A day's records may each have as much as a column of quantities holds.
    quantity = models.DecimalField(max_digits=24, decimal_places=6)
    calls = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "day", "feature", "workspace", "renewal", "month"],
                name="one_sum_for_a_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} on {self.day}"


class SpendProgress(models.Model):
    """Which records of an account are in its daily sums: all up to an id.

    Nothing but the sums is ever missing when they stand back: whoever reads them adds the records
    after `through_id`.
    """

    account = models.OneToOneField(
        Account, on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    through_id = models.BigIntegerField(help_text="The newest record that is in them.")
    timezone = models.CharField(max_length=64, help_text="Whose days they are.")

    def __str__(self) -> str:
        return f"up to {self.through_id}"


class Workspace(models.Model):
    """A workspace that an account has used, noted when its records are added up.

    By its name the account is found without reading records, or sums of days.
    """

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="workspaces", db_index=False
    )
    name = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "name"], name="one_workspace_of_a_name"),
        ]
        indexes = [
            models.Index(
                OpClass(Upper("name"), name="text_pattern_ops"), name="workspaces_by_start_of_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name
