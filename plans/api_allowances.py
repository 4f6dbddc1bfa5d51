"""Allowances and rentals of an account over the REST API."""

from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_schema import ACCOUNT_ID, errors
from accounts.api_views import ApiView, ListView
from invoices.api import TransactionSerializer
from plans import rental_changes, rentals
from plans.models import Allowance, Feature, FeatureKind
from plans.subscription_models import CURRENT_STATUSES


class AllowanceSerializer(serializers.Serializer[Allowance]):
    """An included quota in the current period."""

    feature = serializers.CharField(source="feature.key")
    included = serializers.DecimalField(max_digits=18, decimal_places=6)
    used = serializers.DecimalField(max_digits=18, decimal_places=6)
    remaining = serializers.DecimalField(max_digits=18, decimal_places=6)
    billed_quantity = serializers.DecimalField(
        max_digits=18, decimal_places=6, help_text="Billed beyond it."
    )
    period_start = serializers.DateTimeField(source="renewal.period_start")
    period_end = serializers.DateTimeField(source="renewal.period_end")


class AllowancesView(ListView):
    """`GET /accounts/{id}/allowances/`."""

    queryset = Allowance.objects.none()
    serializer_class = AllowanceSerializer
    page_order = ("id",)

    def get_queryset(self) -> QuerySet[Allowance]:
        """Return the allowances of the account's current period."""
        account = self.find_account(self.kwargs["id"])
        return (
            Allowance.objects.filter(
                account=account,
                renewal__subscription__status__in=CURRENT_STATUSES,
                renewal__number=F("renewal__subscription__current_period_number"),
            )
            .annotate(remaining=F("included") - F("used"))
            .select_related("feature", "renewal")
        )

    @extend_schema(
        operation_id="list_allowances",
        tags=["Usage"],
        summary="What the current period includes, and what is left",
        parameters=[ACCOUNT_ID],
        responses={200: AllowanceSerializer(many=True), **errors(404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the allowances of the current period."""
        return super().get(request, *args, **kwargs)


class PlainInteger(serializers.IntegerField):
    """A whole number, as a JSON number or in plain ASCII digits: what is bought is not guessed."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number. Raises ValidationError for `1_000` and the like."""
        if isinstance(data, str) and not (data.isascii() and data.isdigit()):
            self.fail("invalid")
        return super().to_internal_value(data)


class QuantitySerializer(serializers.Serializer[Any]):
    """How many of a rental the account is to hold."""

    quantity = PlainInteger(min_value=0, max_value=1_000_000)


class RentalSerializer(serializers.Serializer[Any]):
    """What the account holds of a rental."""

    feature = serializers.CharField()
    quantity = serializers.IntegerField(help_text="Held now.")
    quantity_at_renewal = serializers.IntegerField(
        allow_null=True, help_text="Held from the next period on, when some were released."
    )
    transaction = TransactionSerializer(
        allow_null=True, help_text="The payment for the rest of the period, when there was one."
    )


class RentalView(ApiView):
    """`PUT /accounts/{id}/rentals/{feature}/`."""

    @extend_schema(
        operation_id="set_rental",
        tags=["Rentals"],
        summary="Buy or release a rental",
        parameters=[
            ACCOUNT_ID,
            OpenApiParameter("feature", OpenApiTypes.STR, OpenApiParameter.PATH),
        ],
        request=QuantitySerializer,
        responses={200: RentalSerializer, **errors(400, 404, 413, 415)},
    )
    def put(self, request: Request, id: str, feature: str) -> Response:  # noqa: A002
        """Hold this many. More are charged for the rest of the period; fewer end with it.

        More are held only once `transaction.status` is `paid`.
        """
        account = self.find_account(id)
        sent = QuantitySerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        rental = None
        if "\0" not in feature:
            rental = Feature.objects.filter(key=feature, kind=FeatureKind.RENTAL).first()
        if rental is None:
            raise exceptions.NotFound("No rental has this key.", code="unknown_feature")
        transaction = rentals.set_quantity(
            account=account,
            feature=rental,
            quantity=sent.validated_data["quantity"],
            now=timezone.now(),
        )
        held = rental_changes.open_rental(account=account, feature=rental)
        return Response(
            RentalSerializer(
                {
                    "feature": rental.key,
                    "quantity": held.quantity if held else 0,
                    "quantity_at_renewal": held.quantity_at_renewal if held else None,
                    "transaction": transaction,
                }
            ).data
        )
