"""Auto-refill: its terms, and what the customer agreed to."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from djmoney.models.fields import MoneyField

from accounts.models import Account
from wallet.wallet_models import LARGEST_AMOUNT, Wallet


class ConsentAction(models.TextChoices):
    """What the customer did to Auto-Refill."""

    SWITCHED_ON = "switched_on", _("Switched on")
    CHANGED = "changed", _("Changed")
    SWITCHED_OFF = "switched_off", _("Switched off")


class AutoRefillConsent(models.Model):
    """What was agreed to about charging a card without being asked each time. Append-only.

    One row for each time it was switched on or off and each change of its amounts while on, with
    the text as it was shown.
    """

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="auto_refill_consents"
    )
    action = models.CharField(max_length=16, choices=ConsentAction)
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT
    )
    threshold = MoneyField(max_digits=12, decimal_places=2, default_currency="USD")
    amount = MoneyField("top up amount", max_digits=12, decimal_places=2, default_currency="USD")
    monthly_maximum = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    text = models.TextField(blank=True, help_text="What was agreed to, word for word.")
    created_at = models.DateTimeField()

    objects: ClassVar[models.Manager["AutoRefillConsent"]] = models.Manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "auto-refill consent"
        constraints = [
            models.CheckConstraint(
                condition=Q(action=ConsentAction.SWITCHED_OFF) | ~Q(text=""),
                name="a_consent_says_to_what",
            ),
        ]
        indexes = [models.Index(fields=["account", "-created_at"], name="consents_of_account")]

    def __str__(self) -> str:
        return self.get_action_display()


class AutoRefill(models.Model):
    """A top-up the portal makes by itself when the balance falls below the threshold."""

    wallet = models.OneToOneField(Wallet, on_delete=models.PROTECT, related_name="auto_refill")
    enabled = models.BooleanField(default=False)
    threshold = MoneyField(max_digits=12, decimal_places=2, default_currency="USD", default=10)
    amount = MoneyField(
        "top up amount", max_digits=12, decimal_places=2, default_currency="USD", default=25
    )
    monthly_maximum = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="USD it may charge in a calendar month, tax included; empty: no limit.",
    )
    consent = models.ForeignKey(
        AutoRefillConsent,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="What it charges by.",
    )
    consecutive_failures = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(
        null=True, blank=True, help_text="After a decline: not before this moment."
    )
    capped_until = models.DateTimeField(
        null=True, blank=True, help_text="A cap is reached: not before this moment."
    )
    suspended_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["AutoRefill"]] = models.Manager()

    class Meta:
        constraints = [
            # Bounded above as well: to PostgreSQL, NaN is greater than every number.
            models.CheckConstraint(
                condition=Q(threshold__gte=0, threshold__lte=LARGEST_AMOUNT),
                name="threshold_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=LARGEST_AMOUNT), name="top_up_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(monthly_maximum__gt=0, monthly_maximum__lte=LARGEST_AMOUNT),
                name="monthly_maximum_positive",
            ),
            models.CheckConstraint(
                condition=Q(enabled=False) | Q(consent__isnull=False),
                name="nothing_is_charged_without_consent",
            ),
        ]

    def __str__(self) -> str:
        return f"Auto-refill of wallet {self.wallet_id}"
