"""Prices of a plan version and their volume tiers: as changeable as the version itself."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import DecimalField, Field, Model, QuerySet
from django.http import HttpRequest
from djmoney.models.fields import MoneyField
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from accounts.money import format_quantity, format_unit_price
from billing_portal.admin import cells
from billing_portal.admin.base import ConstrainedFormSet
from billing_portal.admin.edits import EditedAdmin
from plans import versions
from plans.models import FeaturePrice, PlanVersion, PriceTier


class DollarsWidget(forms.MultiWidget):
    """An amount in dollars: the currency is not a choice in the catalogue."""

    def __init__(self) -> None:
        super().__init__(
            widgets=[UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}), forms.HiddenInput()]
        )

    def decompress(self, value: Any) -> list[Any]:
        """Split a Money; an amount that is shown has no trailing zeros."""
        if value is None:
            return [None, "USD"]
        amount = value.amount if hasattr(value, "amount") else value[0]
        return [None if amount is None else f"{amount.normalize():f}", "USD"]

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[Any]:
        """Read the amount; the currency is dollars whatever was posted."""
        amount, _ = super().value_from_datadict(data, files, name)
        return [amount, "USD"]


class QuantityWidget(UnfoldAdminDecimalFieldWidget):
    """A quantity without the zeros that its column ends in."""

    def format_value(self, value: Any) -> str | None:
        """Write it as people do; what was typed wrongly stays as it was typed."""
        if isinstance(value, Decimal) and value.is_finite():
            return f"{value.normalize():f}"
        written: str | None = super().format_value(value)
        return written


class PricedInDollarsMixin:
    """Asks for prices as plain dollars, and for quantities as people write them."""

    def formfield_for_dbfield(
        self, db_field: "Field[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Give prices the widget without a currency."""
        if isinstance(db_field, MoneyField):
            kwargs["widget"] = DollarsWidget()
            formfield: Any = db_field.formfield(**kwargs)
            formfield.widget = kwargs["widget"]
            return formfield
        if isinstance(db_field, DecimalField):
            kwargs["widget"] = QuantityWidget(attrs={"step": "any"})
        return super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]


def may_edit(request: HttpRequest, version: PlanVersion | None) -> bool:
    """Return whether this user may change this version: the prices are part of it."""
    if not request.user.has_perm("plans.change_planversion"):
        return False
    return version is None or not subscribed(version)


def subscribed(version: PlanVersion) -> bool:
    """Return whether the version is frozen; asks the database once for each object."""
    if not hasattr(version, "frozen"):
        version.frozen = versions.is_subscribed(version)  # type: ignore[attr-defined]
    return bool(version.frozen)  # type: ignore[attr-defined]


class PriceInline(PricedInDollarsMixin, TabularInline):
    """What each feature costs in the version."""

    model = FeaturePrice
    formset = ConstrainedFormSet
    readonly_fields = ("included_shown", "price_shown", "tiers_shown")
    extra = 0
    hide_title = True
    verbose_name = "price"
    verbose_name_plural = "prices"

    def get_queryset(self, request: HttpRequest) -> QuerySet[FeaturePrice]:
        """Load the names and tiers of all prices at once."""
        prices: QuerySet[FeaturePrice] = super().get_queryset(request)
        return prices.select_related("feature", "version__plan").prefetch_related("tiers")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Ask for the list of features once, not once a row."""
        formfield = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "feature" and formfield is not None:
            formfield.choices = list(formfield.choices)
        return formfield

    def get_fields(self, request: HttpRequest, obj: PlanVersion | None = None) -> tuple[str, ...]:
        """Inputs for who may edit; else every decimal of the price, and none of the zeros."""
        if may_edit(request, obj):
            return ("feature", "included_quantity", "unit_price", "maximum", "tiers_shown")
        return ("feature", "included_shown", "price_shown", "maximum", "tiers_shown")

    @admin.display(description="Included")
    def included_shown(self, price: FeaturePrice) -> str:
        """How many are included in a period."""
        return f"{format_quantity(price.included_quantity)} × {price.feature.unit}"

    @admin.display(description="Unit price")
    def price_shown(self, price: FeaturePrice) -> str:
        """What each further one costs."""
        return format_unit_price(price.unit_price.amount)

    @admin.display(description="Volume tiers")
    def tiers_shown(self, price: FeaturePrice) -> cells.Cell:
        """The discounts, edited on the price's own page."""
        if price.pk is None:
            return cells.NOTHING
        words = tiers_in_words(price)
        if not may_edit(self.page_request, price.version):
            return words or cells.NOTHING
        return cells.link(price, words or "Add tiers")

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Remember who looks: a cell is not told."""
        self.page_request = request
        return super().get_formset(request, obj, **kwargs)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whoever sees the version sees its prices."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: PlanVersion | None = None) -> bool:
        """Prices are part of the version."""
        return may_edit(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: PlanVersion | None = None) -> bool:
        """Prices are part of the version."""
        return may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: PlanVersion | None = None) -> bool:
        """Prices are part of the version."""
        return may_edit(request, obj)


def tiers_in_words(price: FeaturePrice) -> str:
    """Write the tiers: `−10 % above 5,000`."""
    return ", ".join(
        f"−{format_quantity(tier.discount_percent)} % above {format_quantity(tier.above_quantity)}"
        for tier in price.tiers.all()
    )


class TierInline(TabularInline):
    """Discounts beyond a quantity."""

    model = PriceTier
    formset = ConstrainedFormSet
    fields = ("above_quantity", "discount_percent")
    extra = 0
    verbose_name = "volume tier"
    verbose_name_plural = "volume tiers"

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whoever sees the price sees its tiers."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: FeaturePrice | None = None) -> bool:
        """Tiers are part of the version."""
        return may_edit(request, obj.version if obj else None)

    def has_change_permission(self, request: HttpRequest, obj: FeaturePrice | None = None) -> bool:
        """Tiers are part of the version."""
        return may_edit(request, obj.version if obj else None)

    def has_delete_permission(self, request: HttpRequest, obj: FeaturePrice | None = None) -> bool:
        """Tiers are part of the version."""
        return may_edit(request, obj.version if obj else None)


@admin.register(FeaturePrice)
class FeaturePriceAdmin(PricedInDollarsMixin, EditedAdmin):
    """One price with its tiers; reached from its version."""

    list_display = (
        cells.column("feature", "Feature", str),
        cells.column("version", "Version", cells.link),
        cells.column("included_quantity", "Included", format_quantity),
        cells.column("unit_price", "Unit price", lambda money: format_unit_price(money.amount)),
        "maximum",
    )
    list_select_related = ("feature", "version__plan")
    list_filter = ("version__plan", "feature")
    fields = (("version", "feature"), ("included_quantity", "unit_price", "maximum"))
    readonly_fields = ("version", "feature")
    inlines = (TierInline,)
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[FeaturePrice]:
        """Load what the page names."""
        prices: QuerySet[FeaturePrice] = super().get_queryset(request)
        return prices.select_related("feature", "version__plan")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Prices are added on their version's page."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: FeaturePrice | None = None) -> bool:
        """Prices are part of the version."""
        return may_edit(request, obj.version if obj else None)
