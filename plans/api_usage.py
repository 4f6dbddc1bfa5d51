"""Reporting usage and reading it back over the REST API."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_parameters import Parameters, Text, TimeRangeParameters, within
from accounts.api_schema import ACCOUNT_ID, errors
from accounts.api_views import ApiView, ListView
from accounts.models import Scope
from plans import usage, usage_bodies
from plans.models import UsageRecord
from plans.usage import Result, ResultStatus
from plans.usage_records import MAXIMUM_RECORDS, Code


@extend_schema_field(
    {
        "anyOf": [
            {"type": "string", "pattern": r"^[0-9]{1,10}(\.[0-9]{1,6})?$"},
            {"type": "number", "minimum": 0, "maximum": 1_000_000_000},
        ]
    }
)
class SentQuantity(serializers.Field[Any, Any, Any, Any]):
    """From 0 to a billion, in the feature's unit; as a string or a number."""


# These are for the schema: no serializer touches a record.
class SentRecordSerializer(serializers.Serializer[Any]):
    """A record of usage."""

    id = serializers.CharField(max_length=200, help_text="Yours, unique within the account.")
    account = serializers.CharField(help_text="A UUID, or `external:` and your id of the account.")
    feature = serializers.CharField(max_length=64, help_text="A key of GET /features/.")
    quantity = SentQuantity(help_text="Plain digits with at most 6 decimals.")
    occurred_at = serializers.DateTimeField(help_text="ISO 8601 with an offset.")
    workspace = serializers.CharField(
        max_length=200, required=False, allow_null=True, allow_blank=True
    )
    source = serializers.CharField(  # type: ignore[assignment]
        max_length=200, required=False, allow_null=True, allow_blank=True
    )
    description = serializers.CharField(
        max_length=300, required=False, allow_null=True, allow_blank=True
    )


#: What is no record is rejected by itself, with the reason: it makes no batch a bad one.
_RECORD_OR_NOT: Final = {"anyOf": [{"$ref": "#/components/schemas/SentRecordRequest"}, {}]}


class Records(serializers.ListField):
    """Records as they are sent, each judged by itself."""


class RecordsInTheSchema(OpenApiSerializerFieldExtension):
    """Says what a record is, without saying that anything else is refused."""

    target_class = Records

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Return the schema of the list."""
        auto_schema.resolve_serializer(SentRecordSerializer, direction)
        return {
            "type": "array",
            "minItems": 1,
            "maxItems": MAXIMUM_RECORDS,
            "items": _RECORD_OR_NOT,
        }


class BatchSerializer(serializers.Serializer[Any]):
    """1 to 10,000 records."""

    records = Records()


class ResultSerializer(serializers.Serializer[Any]):
    """What became of one record."""

    id = serializers.CharField(allow_null=True, help_text="Null when the record had no usable id.")
    status = serializers.ChoiceField(choices=[(status, status) for status in ResultStatus])
    included_quantity = serializers.DecimalField(max_digits=18, decimal_places=6)
    billed_quantity = serializers.DecimalField(max_digits=18, decimal_places=6)
    amount = serializers.DecimalField(max_digits=18, decimal_places=6, help_text="USD.")
    index = serializers.IntegerField(required=False, help_text="Rejected: its place, from 0.")
    line = serializers.IntegerField(
        required=False, help_text="Rejected, of NDJSON: its line, from 1; blank lines count."
    )
    code = serializers.ChoiceField(
        choices=[(code, code) for code in Code], required=False, help_text="Rejected: why."
    )
    detail = serializers.CharField(required=False, help_text="Rejected: what to do.")


class ReportSerializer(serializers.Serializer[Any]):
    """The answer to a batch, in the order sent."""

    recorded = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = serializers.ListField(child=ResultSerializer())


class ReportParameters(Parameters):
    """How much is answered."""

    results = serializers.ChoiceField(
        ["all", "none"],
        required=False,
        help_text="`none` leaves everything out of `results` but the rejected.",
    )


class ReportUsageView(ApiView):
    """`POST /usage/`. Plain: a serializer for each record would cost more than rating it."""

    scopes = {"POST": Scope.USAGE_WRITE}
    parameters = {"POST": ReportParameters}
    throttle_scope = "usage"

    @extend_schema(
        operation_id="report_usage",
        tags=["Usage"],
        summary="Report usage",
        request={
            usage_bodies.JSON: BatchSerializer,
            usage_bodies.NDJSON: _RECORD_OR_NOT,
        },
        responses={200: ReportSerializer, **errors(400, 411, 413, 415)},
    )
    def post(self, request: Request) -> HttpResponse:
        """Rate records, draw them from allowances and deduct the rest. Safe to repeat.

        NDJSON has a record on each line. Both may be sent with `Content-Encoding: gzip`.
        """
        batch = usage_bodies.read(request._request)
        results = usage.record(records=batch.records, now=timezone.now())
        answer = report(
            results, lines=batch.lines, only_rejected=self.asked.get("results") == "none"
        )
        return HttpResponse(answer, content_type="application/json")


# Written by a struct's encoder: a dictionary for each record would cost several times as much.
class _Answer(msgspec.Struct, omit_defaults=True, gc=False):
    """What became of a record, as ResultSerializer says."""

    id: str | None
    status: ResultStatus
    included_quantity: str
    billed_quantity: str
    amount: str
    index: int | msgspec.UnsetType = msgspec.UNSET
    code: Code | msgspec.UnsetType = msgspec.UNSET
    detail: str | msgspec.UnsetType = msgspec.UNSET
    line: int | msgspec.UnsetType = msgspec.UNSET


class _Report(msgspec.Struct):
    """What became of a batch, as ReportSerializer says."""

    recorded: int
    duplicates: int
    rejected: int
    results: list[_Answer]


_encoder = msgspec.json.Encoder()


def report(results: Sequence[Result], *, lines: Sequence[int] | None, only_rejected: bool) -> bytes:
    """Return the answer of POST /usage/ in JSON. `lines`: of records that came as lines."""
    counts = Counter([result.status for result in results])
    listed = [
        _rejected(result, index, lines)
        if result.status is ResultStatus.REJECTED
        else _answer(result)
        for index, result in enumerate(results)
        if not only_rejected or result.status is ResultStatus.REJECTED
    ]
    return _encoder.encode(
        _Report(
            counts[ResultStatus.RECORDED],
            counts[ResultStatus.DUPLICATE],
            counts[ResultStatus.REJECTED],
            listed,
        )
    )


def _answer(result: Result) -> _Answer:
    included, billed, amount = result.figures.split(" ")
    return _Answer(result.id, result.status, included, billed, amount)


def _rejected(result: Result, index: int, lines: Sequence[int] | None) -> _Answer:
    answer = _answer(result)
    answer.index = index
    if result.code is not None:
        answer.code, answer.detail = result.code, result.detail
    if lines is not None:
        answer.line = lines[index]
    return answer


def _quantity(help_text: str = "") -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=18, decimal_places=6, help_text=help_text)


class UsageRecordSerializer(serializers.Serializer[UsageRecord]):
    """A rated record, with everything that explains its amount."""

    id = serializers.CharField(source="record_id")
    feature = serializers.CharField(source="feature.key")
    quantity = _quantity()
    included_quantity = _quantity("Drawn from the allowance.")
    billed_quantity = _quantity("Billed at the price.")
    unit_price = serializers.DecimalField(
        max_digits=18, decimal_places=8, help_text="USD, before volume discounts."
    )
    amount = _quantity("USD.")
    included_before = _quantity("What was left of the allowance.")
    billed_before = _quantity("Billed before in the period: it decides the volume tier.")
    balance_before = _quantity("USD.")
    balance_after = _quantity("USD.")
    plan = serializers.CharField(source="plan_version.plan.slug")
    plan_version = serializers.IntegerField(source="plan_version.number")
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    workspace = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    description = serializers.CharField()


class UsageParameters(TimeRangeParameters):
    """Which records; `since` and `until` are about when the usage occurred."""

    feature = Text(required=False, help_text="Only of this feature.")
    workspace = Text(required=False, allow_blank=True, help_text="Only of this workspace.")


class UsageView(ListView):
    """`GET /accounts/{id}/usage/`."""

    parameters = {"GET": UsageParameters}
    queryset = UsageRecord.objects.none()
    serializer_class = UsageRecordSerializer
    page_order = ("-occurred_at", "-id")

    def get_queryset(self) -> QuerySet[UsageRecord]:
        """Return the account's records, of one feature, workspace or time when asked for."""
        account = self.find_account(self.kwargs["id"])
        records = UsageRecord.objects.filter(account=account)
        records = records.select_related("feature", "plan_version__plan")
        if "feature" in self.asked:
            records = records.filter(feature__key=self.asked["feature"])
        if "workspace" in self.asked:
            records = records.filter(workspace=self.asked["workspace"])
        return records.filter(**within(dict(self.asked), "occurred_at"))

    @extend_schema(
        operation_id="list_usage",
        tags=["Usage"],
        summary="Rated usage, newest first",
        parameters=[ACCOUNT_ID],
        responses={200: UsageRecordSerializer(many=True), **errors(400, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List an account's rated records."""
        return super().get(request, *args, **kwargs)
