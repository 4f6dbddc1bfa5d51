"""Reading Billing History over the REST API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_parameters import TimeRangeParameters, within
from accounts.api_schema import ACCOUNT_ID, errors
from accounts.api_views import ListView
from invoices.models import Purpose, Status, Transaction


class PaidWithSerializer(serializers.Serializer[Any]):
    """The card of a payment."""

    brand = serializers.CharField()
    last4 = serializers.CharField()


class TransactionSerializer(serializers.Serializer[Transaction]):
    """One line of Billing History."""

    number = serializers.CharField()
    purpose = serializers.ChoiceField(choices=Purpose.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    amount = serializers.DecimalField(
        source="amount.amount", max_digits=12, decimal_places=2, help_text="USD, with tax."
    )
    net_amount = serializers.DecimalField(
        source="net_amount.amount",
        max_digits=12,
        decimal_places=2,
        help_text="USD, without tax: what a top-up credits.",
    )
    tax_rate = serializers.DecimalField(max_digits=5, decimal_places=2, help_text="Percent.")
    tax_amount = serializers.DecimalField(
        source="tax_amount.amount", max_digits=12, decimal_places=2, help_text="USD."
    )
    charged_amount = serializers.DecimalField(
        source="charged_amount.amount",
        max_digits=12,
        decimal_places=3,
        help_text="What the card is charged, in `charged_currency`.",
    )
    charged_currency = serializers.CharField(source="charged_amount.currency.code")
    rate = serializers.DecimalField(
        source="exchange_rate",
        max_digits=12,
        decimal_places=6,
        help_text="`charged_currency` for a dollar, fixed when the transaction was opened.",
    )
    refunded_amount = serializers.DecimalField(
        source="refunded_amount.amount", max_digits=12, decimal_places=2, help_text="USD."
    )
    card = serializers.SerializerMethodField()
    failure_code = serializers.CharField(help_text="Empty unless it failed.")
    failure_message = serializers.CharField(help_text="Empty unless it failed.")
    created_at = serializers.DateTimeField()
    paid_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(PaidWithSerializer(allow_null=True))
    def get_card(self, transaction: Transaction) -> dict[str, str] | None:
        """Return the card, once it is known."""
        if not transaction.card_last4:
            return None
        return {"brand": transaction.card_brand, "last4": transaction.card_last4}


class TransactionParameters(TimeRangeParameters):
    """Which transactions; `since` and `until` are about when they were opened."""

    status = serializers.ChoiceField(Status.choices, required=False, help_text="Only this status.")
    purpose = serializers.ChoiceField(
        Purpose.choices, required=False, help_text="Only for this purpose."
    )


class TransactionsView(ListView):
    """`GET /accounts/{id}/transactions/`."""

    parameters = {"GET": TransactionParameters}
    queryset = Transaction.objects.none()
    serializer_class = TransactionSerializer

    def get_queryset(self) -> QuerySet[Transaction]:
        """Return the account's transactions, of one status, purpose or time when asked for."""
        account = self.find_account(self.kwargs["id"])
        transactions = Transaction.objects.filter(account=account)
        exact = {field: self.asked[field] for field in ("status", "purpose") if field in self.asked}
        return transactions.filter(**exact, **within(dict(self.asked), "created_at"))

    @extend_schema(
        operation_id="list_transactions",
        tags=["Accounts"],
        summary="Billing History, newest first",
        parameters=[ACCOUNT_ID],
        responses={200: TransactionSerializer(many=True), **errors(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List an account's payments, whatever their outcome."""
        return super().get(request, *args, **kwargs)
