"""Reading the ledger over the REST API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_parameters import TimeRangeParameters
from accounts.api_schema import ACCOUNT_ID, errors
from accounts.api_views import ListView
from wallet import ledger_by_time
from wallet.models import Entry, EntryKind


class EntrySerializer(serializers.Serializer[Entry]):
    """One line of the ledger."""

    sequence = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=EntryKind.choices)
    amount = serializers.DecimalField(
        max_digits=18, decimal_places=6, help_text="USD, signed, to a millionth."
    )
    balance_after = serializers.DecimalField(max_digits=18, decimal_places=6, help_text="USD.")
    description = serializers.CharField()
    created_at = serializers.DateTimeField()
    transaction = serializers.SerializerMethodField(
        help_text="The number of the payment behind it."
    )
    usage_id = serializers.SerializerMethodField(help_text="The id of the usage record behind it.")

    def get_transaction(self, entry: Entry) -> str | None:
        """Return the payment's number."""
        return entry.transaction.number if entry.transaction else None

    def get_usage_id(self, entry: Entry) -> str | None:
        """Return the usage record's id."""
        return entry.usage_id or None


class EntryParameters(TimeRangeParameters):
    """Which entries."""

    kind = serializers.ChoiceField(EntryKind.choices, required=False, help_text="Only this kind.")


class EntriesView(ListView):
    """`GET /accounts/{id}/entries/`."""

    parameters = {"GET": EntryParameters}
    queryset = Entry.objects.none()
    serializer_class = EntrySerializer
    page_order = ("-sequence",)

    def get_queryset(self) -> QuerySet[Entry]:
        """Return the account's entries, of one kind or time when asked for."""
        account = self.find_account(self.kwargs["id"])
        entries = Entry.objects.filter(account=account).select_related("transaction")
        if "kind" in self.asked:
            entries = entries.filter(kind=self.asked["kind"])
        return ledger_by_time.between(
            entries,
            account_id=account.pk,
            since=self.asked.get("since"),
            until=self.asked.get("until"),
        )

    @extend_schema(
        operation_id="list_entries",
        tags=["Accounts"],
        summary="The ledger, newest first",
        parameters=[ACCOUNT_ID],
        responses={200: EntrySerializer(many=True), **errors(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the entries of an account's ledger."""
        return super().get(request, *args, **kwargs)
