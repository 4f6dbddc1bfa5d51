"""Allowances of an account over the REST API."""

from typing import Any

from django.db.models import F, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_schema import ACCOUNT_ID, errors
from accounts.api_views import ListView
from plans.models import Allowance
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
        responses={200: AllowanceSerializer(many=True), **errors(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the allowances of the current period."""
        return super().get(request, *args, **kwargs)
