"""Rentals of an account over the REST API: what is held, what a change comes to, changing it."""

from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import Conflict
from accounts.api_idempotency import IDEMPOTENCY, once
from accounts.api_parameters import Parameters, PlainInteger, StrictText
from accounts.api_schema import ACCOUNT_ID, errors
from accounts.api_views import ApiView, ListView
from accounts.models import Account, Scope
from invoices.api import TransactionSerializer
from invoices.charging import AlreadyOpen
from invoices.models import Transaction
from plans import quotes, rental_changes, rentals
from plans.models import Feature, FeatureKind, FeaturePrice, Rental, RentalVia
from plans.rental_changes import Change
from plans.subscription_models import CURRENT_STATUSES

FEATURE = OpenApiParameter("feature", OpenApiTypes.STR, OpenApiParameter.PATH)


class QuantityParameters(Parameters):
    """How many of a rental the account would hold."""

    quantity = PlainInteger(min_value=0, max_value=1_000_000, help_text="How many to hold.")


@extend_schema_field(
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 1_000_000},
            {"type": "string", "pattern": "^([0-9]{1,6}|1000000)$"},
        ]
    }
)
class Quantity(PlainInteger):
    """How many to hold: up to a million."""


class WishSerializer(serializers.Serializer[Any]):
    """How many of a rental the account is to hold, and at which price."""

    quantity = Quantity(min_value=0, max_value=1_000_000, help_text="How many to hold.")
    quote = StrictText(
        required=False,
        max_length=1000,
        help_text="Of the preview: then it is charged exactly that, or refused.",
    )


class HeldSerializer(serializers.Serializer[Any]):
    """A rental that the account's plan has, and how many are held."""

    feature = serializers.CharField(source="feature.key")
    quantity = serializers.IntegerField(help_text="Held now.")
    quantity_at_renewal = serializers.IntegerField(
        allow_null=True, help_text="Held from the next period on, when some were released."
    )
    since = serializers.DateTimeField(allow_null=True, help_text="When this quantity began.")
    included = serializers.IntegerField(source="included_quantity", help_text="Free of them.")
    unit_price = serializers.DecimalField(
        source="unit_price.amount", max_digits=18, decimal_places=8, help_text="USD a month, net."
    )
    maximum = serializers.IntegerField(allow_null=True)


class PreviewSerializer(serializers.Serializer[Change]):
    """What holding another quantity comes to. Amounts are USD unless said otherwise."""

    feature = serializers.CharField(source="feature.key")
    held = serializers.IntegerField(source="holding")
    quantity = serializers.IntegerField()
    change = serializers.ChoiceField(
        source="kind", choices=[kind.value for kind in rental_changes.ChangeKind]
    )
    net_amount = serializers.DecimalField(source="price.net", max_digits=12, decimal_places=2)
    tax_rate = serializers.DecimalField(
        source="price.tax_rate", max_digits=5, decimal_places=2, help_text="Percent."
    )
    tax_amount = serializers.DecimalField(source="price.tax", max_digits=12, decimal_places=2)
    amount = serializers.DecimalField(
        source="price.amount", max_digits=12, decimal_places=2, help_text="Charged at once."
    )
    charged_amount = serializers.DecimalField(
        source="price.charged_amount.amount", max_digits=12, decimal_places=3
    )
    charged_currency = serializers.CharField(source="price.charged_amount.currency.code")
    waived_amount = serializers.DecimalField(
        source="waived",
        max_digits=12,
        decimal_places=2,
        help_text="Not charged, for it is less than the smallest charge.",
    )
    monthly_amount = serializers.DecimalField(
        source="monthly", max_digits=12, decimal_places=2, help_text="Of a whole period, net."
    )
    period_end = serializers.DateTimeField(source="period.end")
    quote = serializers.SerializerMethodField(
        help_text="To send with the change, within ten minutes."
    )

    def get_quote(self, change: Change) -> str:
        """Return the signed quote."""
        return str(self.context["quote"])


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


class RentalsView(ListView):
    """`GET /accounts/{id}/rentals/`."""

    queryset = FeaturePrice.objects.none()
    serializer_class = HeldSerializer
    page_order = ("position", "id")

    def get_queryset(self) -> QuerySet[FeaturePrice]:
        """Return the plan's rentals with what is held of each."""
        account = self.find_account(self.kwargs["id"])
        held = Rental.objects.filter(
            account=account,
            feature=OuterRef("feature"),
            started_at__isnull=False,
            ended_at__isnull=True,
        )
        return (
            FeaturePrice.objects.filter(
                feature__kind=FeatureKind.RENTAL,
                version__subscriptions__account=account,
                version__subscriptions__status__in=CURRENT_STATUSES,
            )
            .annotate(
                position=F("feature__position"),
                quantity=Coalesce(Subquery(held.values("quantity")), 0),
                quantity_at_renewal=Subquery(held.values("quantity_at_renewal")),
                since=Subquery(held.values("started_at")),
            )
            .select_related("feature")
        )

    @extend_schema(
        operation_id="list_rentals",
        tags=["Rentals"],
        summary="The plan's rentals, and how many are held",
        parameters=[ACCOUNT_ID],
        responses={200: HeldSerializer(many=True), **errors(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List every rental of the account's plan, held or not."""
        return super().get(request, *args, **kwargs)


class RentalView(ApiView):
    """`GET` and `PUT /accounts/{id}/rentals/{feature}/`."""

    scopes = {"GET": Scope.ACCOUNTS_READ, "PUT": Scope.RENTALS_WRITE}
    parameters = {"GET": QuantityParameters}

    @extend_schema(
        operation_id="preview_rental",
        tags=["Rentals"],
        summary="What holding another quantity would charge",
        parameters=[ACCOUNT_ID, FEATURE],
        responses={200: PreviewSerializer, **errors(400, 404, 409)},
    )
    def get(self, request: Request, id: str, feature: str) -> Response:  # noqa: A002
        """Change nothing; return the exact amounts, and a quote that keeps them."""
        account, rental = self.find_account(id), _find(feature)
        quantity, now = self.asked["quantity"], timezone.now()
        try:
            change = rentals.preview(account=account, feature=rental, quantity=quantity, now=now)
        except AlreadyOpen as error:
            raise _conflict(error, "payment_open") from error
        quote = quotes.sign(
            account=account,
            subject=rental_changes.subject(feature=rental, quantity=quantity),
            price=change.price,
            moment=now,
        )
        return Response(PreviewSerializer(change, context={"quote": quote}).data)

    @extend_schema(
        operation_id="set_rental",
        tags=["Rentals"],
        summary="Buy or release a rental",
        parameters=[ACCOUNT_ID, FEATURE, *IDEMPOTENCY],
        request=WishSerializer,
        responses={200: RentalSerializer, **errors(400, 404, 409, 413, 415)},
    )
    def put(
        self,
        request: Request,
        id: str,  # noqa: A002
        feature: str,
    ) -> Response | HttpResponse:
        """Hold this many. More are charged for the rest of the period; fewer end with it.

        More are held only once `transaction.status` is `paid`. Repeated with the same
        `Idempotency-Key`: the first answer, and no second charge, also when the first was declined.
        """
        account, rental = self.find_account(id), _find(feature)
        return once(
            request,
            target=f"rentals/{account.pk}/{rental.key}",
            carry_out=lambda request_key: self._hold(account, rental, request_key),
            is_atomic=False,
        )

    def _hold(self, account: Account, rental: Feature, request_key: str) -> Response:
        sent = WishSerializer(data=self.request.data)
        sent.is_valid(raise_exception=True)
        transaction = rentals.asked_for_before(
            account=account, request_key=request_key, now=timezone.now()
        )
        if transaction is None:
            transaction = _set(account, rental, request_key=request_key, **sent.validated_data)
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


def _set(
    account: Account, rental: Feature, *, quantity: int, request_key: str, quote: str = ""
) -> Transaction | None:
    now = timezone.now()
    subject = rental_changes.subject(feature=rental, quantity=quantity)
    try:
        agreed = quotes.read(quote, account=account, subject=subject, now=now) if quote else None
        return rentals.set_quantity(
            account=account,
            feature=rental,
            quantity=quantity,
            now=now,
            via=RentalVia.API,
            agreed=agreed,
            request_key=request_key,
        )
    except AlreadyOpen as error:
        raise _conflict(error, "payment_open") from error
    except quotes.QuoteExpired as error:
        raise _conflict(error, "quote_expired") from error


def _find(key: str) -> Feature:
    rental = None
    if "\0" not in key:
        rental = Feature.objects.filter(key=key, kind=FeatureKind.RENTAL).first()
    if rental is None:
        raise exceptions.NotFound("No rental has this key.", code="unknown_feature")
    return rental


def _conflict(error: AlreadyOpen | quotes.QuoteExpired, code: str) -> Conflict:
    return Conflict(" ".join(error.messages), code=code)
