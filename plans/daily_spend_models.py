"""What usage cost by day: sums of the ledger, kept beside it."""

from django.db import models

from accounts.models import Account
from plans.catalogue_models import Feature
from plans.subscription_models import Renewal


class DailySpend(models.Model):
    """What a feature cost an account on one day of a period. A sum of records, never the truth."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    renewal = models.ForeignKey(Renewal, on_delete=models.PROTECT, related_name="+", db_index=False)
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField(help_text="In the account's timezone.")
    amount = models.DecimalField(max_digits=18, decimal_places=6)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "renewal", "feature", "day"], name="one_sum_for_a_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} on {self.day}"


class SpendProgress(models.Model):
    """Which entries of an account's ledger are in its daily sums: after one number, up to another.

    Nothing but the sums is ever missing when they stand back: whoever reads them adds the entries
    after `through_sequence`.
    """

    account = models.OneToOneField(
        Account, on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    after_sequence = models.BigIntegerField(help_text="The sums begin after this entry.")
    through_sequence = models.BigIntegerField(help_text="The newest entry that is in them.")
    timezone = models.CharField(max_length=64, help_text="Whose days they are.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(through_sequence__gte=models.F("after_sequence")),
                name="sums_go_forward",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.after_sequence} to {self.through_sequence}"
