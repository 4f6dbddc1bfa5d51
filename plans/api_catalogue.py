"""The catalogue over the REST API."""

from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_schema import errors
from accounts.api_views import ListView
from plans.models import (
    Feature,
    FeatureKind,
    FeaturePrice,
    Plan,
    PlanType,
    PlanVersion,
    Subscription,
)
from plans.subscription_models import CURRENT_STATUSES


class FeatureSerializer(serializers.Serializer[Feature]):
    """Something sold."""

    key = serializers.CharField()
    name = serializers.CharField()
    unit = serializers.CharField()
    kind = serializers.ChoiceField(choices=FeatureKind.choices)


class TierSerializer(serializers.Serializer[Any]):
    """Units billed beyond `above_quantity` in a period cost `discount_percent` less."""

    above_quantity = serializers.DecimalField(max_digits=18, decimal_places=6)
    discount_percent = serializers.DecimalField(max_digits=5, decimal_places=2)


class FeaturePriceSerializer(serializers.Serializer[FeaturePrice]):
    """What a feature costs in a plan."""

    feature = serializers.CharField(source="feature.key")
    kind = serializers.ChoiceField(source="feature.kind", choices=FeatureKind.choices)
    included = serializers.DecimalField(source="included_quantity", max_digits=18, decimal_places=6)
    unit_price = serializers.DecimalField(
        source="unit_price.amount", max_digits=18, decimal_places=8, help_text="USD."
    )
    tiers = TierSerializer(source="tiers.all", many=True)
    maximum = serializers.IntegerField(allow_null=True, help_text="Rentals: how many at most.")


class PlanSerializer(serializers.Serializer[Plan]):
    """A plan as it is sold now."""

    slug = serializers.CharField()
    name = serializers.CharField()
    type = serializers.ChoiceField(choices=PlanType.choices)
    version = serializers.SerializerMethodField()
    monthly_price = serializers.SerializerMethodField()
    minimum_top_up = serializers.SerializerMethodField()
    features = serializers.SerializerMethodField()

    def _on_sale(self, plan: Plan) -> PlanVersion:
        return plan.on_sale[0]  # type: ignore[attr-defined]

    def get_version(self, plan: Plan) -> int:
        """Return the number of the version on sale."""
        return self._on_sale(plan).number

    @extend_schema_field(serializers.DecimalField(max_digits=12, decimal_places=2))
    def get_monthly_price(self, plan: Plan) -> str:
        """Return the base fee in USD."""
        return f"{self._on_sale(plan).monthly_price.amount:.2f}"

    @extend_schema_field(serializers.DecimalField(max_digits=12, decimal_places=2))
    def get_minimum_top_up(self, plan: Plan) -> str:
        """Return the smallest top-up in USD."""
        return f"{self._on_sale(plan).minimum_top_up.amount:.2f}"

    @extend_schema_field(FeaturePriceSerializer(many=True))
    def get_features(self, plan: Plan) -> Any:
        """Return the prices of the version on sale."""
        return [FeaturePriceSerializer(price).data for price in self._on_sale(plan).prices.all()]


class FeaturesView(ListView):
    """`GET /features/`."""

    scopes = {}
    is_for_customers = True
    has_etag = True
    queryset = Feature.objects.all()
    serializer_class = FeatureSerializer
    page_order = ("position", "id")

    @extend_schema(
        operation_id="list_features",
        tags=["Catalogue"],
        summary="Everything that is sold",
        responses={200: FeatureSerializer(many=True), **errors(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the features, in the order of the catalogue."""
        return super().get(request, *args, **kwargs)


class PlansView(ListView):
    """`GET /plans/`: every plan on sale, those that are not public too.

    A customer's key sees the public ones, and what its account is on.
    """

    scopes = {}
    is_for_customers = True
    has_etag = True
    queryset = Plan.objects.none()
    serializer_class = PlanSerializer
    page_order = ("position", "id")

    def get_queryset(self) -> QuerySet[Plan]:
        """Return the plans with their newest published version."""
        published = PlanVersion.objects.filter(published_at__isnull=False)
        newest = published.order_by("plan_id", "-number").distinct("plan_id")
        newest = newest.prefetch_related("prices__feature", "prices__tiers")
        plans = Plan.objects.filter(archived_at__isnull=True)
        if self.customer_id is not None:
            own = Subscription.objects.filter(account=self.customer_id, status__in=CURRENT_STATUSES)
            plans = plans.filter(
                Q(type=PlanType.PUBLIC) | Q(pk__in=own.values("plan_version__plan"))
            )
        return (
            plans.filter(versions__published_at__isnull=False)
            .distinct()
            .prefetch_related(Prefetch("versions", queryset=newest, to_attr="on_sale"))
        )

    @extend_schema(
        operation_id="list_plans",
        tags=["Catalogue"],
        summary="Every plan on sale",
        responses={200: PlanSerializer(many=True), **errors(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the plans with the prices of the version on sale."""
        return super().get(request, *args, **kwargs)
