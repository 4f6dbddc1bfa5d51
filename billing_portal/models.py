"""The portal's own records about itself."""

from django.db import models
from django.db.models import F, Q


class Heartbeat(models.Model):
    """When a scheduled job last ran to its end. `/readyz` and the audit look here."""

    name = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"


class AuditReport(models.Model):
    """What a run of the audit found. The newest one is what the front page of the admin says."""

    began_at = models.DateTimeField()
    since = models.DateTimeField(
        null=True, blank=True, help_text="Only what came from then on was looked at."
    )
    violations = models.PositiveIntegerField(help_text="Rows that break an invariant.")
    first_violations = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["-began_at", "-id"]
        indexes = [models.Index(fields=["-began_at", "-id"], name="newest_audit")]
        constraints = [
            models.CheckConstraint(
                condition=Q(since__isnull=True) | Q(since__lt=F("began_at")),
                name="an_audit_looks_back",
            )
        ]

    def __str__(self) -> str:
        return f"Audit of {self.began_at:%Y-%m-%d %H:%M:%S}"


class BusinessDay(models.Model):
    """The state of the business at the end of a day (UTC), or of today so far. Amounts are USD.

    Summed up once (`billing_portal/business_days.py`), for no page may add up the ledger.
    """

    day = models.DateField(unique=True)
    as_of = models.DateTimeField(help_text="What came later is not counted.")
    monthly_recurring_revenue = models.DecimalField(max_digits=18, decimal_places=2)
    subscriptions = models.PositiveIntegerField(help_text="Subscriptions that cost something.")
    credit_sold = models.DecimalField(max_digits=18, decimal_places=6)
    credit_used = models.DecimalField(max_digits=18, decimal_places=6)
    liability = models.DecimalField(
        max_digits=18, decimal_places=6, help_text="Sum of the balances above zero."
    )
    receivable = models.DecimalField(
        max_digits=18, decimal_places=6, help_text="Sum of the balances below zero."
    )
    negative_wallets = models.PositiveIntegerField()
    collected = models.DecimalField(
        max_digits=18, decimal_places=2, help_text="Payments that were paid, tax included."
    )
    payments = models.PositiveIntegerField()
    failed = models.DecimalField(max_digits=18, decimal_places=2)
    failures = models.PositiveIntegerField()

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}"
