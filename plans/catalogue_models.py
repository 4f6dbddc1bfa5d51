"""The catalogue: features, plans, and the versions in which plans are sold."""

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from djmoney.models.fields import MoneyField

from accounts.money import format_usd
from accounts.recorded_words import translated
from invoices.models import SMALLEST_CHARGE


class FeatureKind(models.TextChoices):
    """How a feature is paid for."""

    RENTAL = "rental", _("Rental")
    CONSUMABLE = "consumable", _("Consumable")


class Feature(models.Model):
    """Something sold: a rental (a monthly price each) or a consumable (metered)."""

    key = models.SlugField(max_length=64, unique=True, help_text="The platform's own key.")
    name = models.CharField(max_length=100)
    unit = models.CharField(max_length=50, help_text="Singular: minute, 1,000 tokens, seat.")
    kind = models.CharField(max_length=16, choices=FeatureKind)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "key"]

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """Its name in the reader's language, where it is one of the catalogue's."""
        return translated(self.name)


class PlanType(models.TextChoices):
    """Who a plan is for."""

    PUBLIC = "public", _("Public")
    ENTERPRISE = "enterprise", _("Enterprise")
    CUSTOM = "custom", _("Custom")


class Pricing(models.TextChoices):
    """How a plan is priced."""

    PAY_AS_YOU_GO = "pay_as_you_go", _("Pay as you go")
    FIXED_MONTHLY = "fixed_monthly", _("Fixed monthly")
    VOLUME_TIERS = "volume_tiers", _("Volume tiers")


class Plan(models.Model):
    """A plan, sold in versions."""

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=100)
    type = models.CharField(max_length=16, choices=PlanType, default=PlanType.PUBLIC)
    pricing = models.CharField(max_length=16, choices=Pricing, default=Pricing.FIXED_MONTHLY)
    description = models.CharField(max_length=300, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "slug"]
        permissions = [("archive_plan", "Can archive a plan and restore it")]

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """Its name in the reader's language, where it is one of the catalogue's."""
        return translated(self.name)


class PlanVersion(models.Model):
    """The prices of a plan. Once subscribed to, a version never changes (enforced by triggers)."""

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveSmallIntegerField()
    monthly_price = MoneyField(max_digits=12, decimal_places=2, default_currency="USD")
    minimum_top_up = MoneyField(max_digits=12, decimal_places=2, default_currency="USD")
    published_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["PlanVersion"]] = models.Manager()

    class Meta:
        ordering = ["plan", "-number"]
        permissions = [("publish_planversion", "Can publish a version and move subscribers to it")]
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="plan_versions_are_numbered"),
            models.CheckConstraint(
                condition=Q(monthly_price__gte=0), name="monthly_price_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(minimum_top_up__gt=0), name="minimum_top_up_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} v{self.number}"

    def clean(self) -> None:
        """Refuse a price that no card can be charged."""
        if self.monthly_price and self.monthly_price.amount < SMALLEST_CHARGE:
            raise ValidationError(
                {
                    "monthly_price": "A card can't be charged so little: make it nothing, or at "
                    f"least {format_usd(SMALLEST_CHARGE)}."
                }
            )


class FeaturePrice(models.Model):
    """What a feature costs in a plan version.

    A consumable: `included_quantity` in each period, then `unit_price` each. A rental:
    `included_quantity` free, then `unit_price` a month each, `maximum` at most. A feature without
    a price in a version is not in the plan.
    """

    version = models.ForeignKey(PlanVersion, on_delete=models.CASCADE, related_name="prices")
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT, related_name="prices")
    included_quantity = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    unit_price = MoneyField(max_digits=18, decimal_places=8, default_currency="USD")
    maximum = models.PositiveIntegerField(
        null=True, blank=True, help_text="Rentals: no more than this may be held."
    )

    objects: ClassVar[models.Manager["FeaturePrice"]] = models.Manager()

    class Meta:
        ordering = ["feature__position"]
        constraints = [
            models.UniqueConstraint(fields=["version", "feature"], name="one_price_per_feature"),
            models.CheckConstraint(
                condition=Q(included_quantity__gte=0), name="included_quantity_not_negative"
            ),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="unit_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.feature} in {self.version}"


class PriceTier(models.Model):
    """Billed units beyond `above_quantity` in a period cost `discount_percent` less."""

    price = models.ForeignKey(FeaturePrice, on_delete=models.CASCADE, related_name="tiers")
    above_quantity = models.DecimalField(max_digits=18, decimal_places=6)
    discount_percent = models.DecimalField(max_digits=5, decimal_places=2)

    class Meta:
        ordering = ["above_quantity"]
        constraints = [
            models.UniqueConstraint(fields=["price", "above_quantity"], name="tiers_are_distinct"),
            models.CheckConstraint(
                condition=Q(above_quantity__gt=0), name="a_tier_begins_above_zero"
            ),
            models.CheckConstraint(
                condition=Q(discount_percent__gt=0) & Q(discount_percent__lte=100),
                name="a_tier_discount_is_a_percentage",
            ),
        ]

    def __str__(self) -> str:
        return f"−{self.discount_percent} % above {self.above_quantity}"
