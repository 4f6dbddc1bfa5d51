"""The query parameters of the REST API: declared once, for the schema and for what is asked.

A call knows its parameters and takes no others: a misspelt filter that was ignored would answer
with everybody's rows.
"""

from datetime import UTC, datetime
from typing import Any

from django.core.validators import ProhibitNullCharactersValidator, RegexValidator
from django.http import QueryDict
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers


class Parameters(serializers.Serializer[Any]):
    """The base of what a call may be asked with; itself: nothing."""


class StrictText(serializers.CharField):
    """Text of a body: a JSON string, nothing that could be written as one."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Raises ValidationError for numbers."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictEmail(StrictText, serializers.EmailField):
    """An e-mail address, as a JSON string."""


class PlainInteger(serializers.IntegerField):
    """A whole number, as a JSON number or in plain ASCII digits: what is bought is not guessed."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number. Raises ValidationError for `1_000`, `true` and the like."""
        plain = isinstance(data, int | float) and not isinstance(data, bool)
        if not plain and not (isinstance(data, str) and data.isascii() and data.isdigit()):
            self.fail("invalid")
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """Text to compare with, as it was sent."""

    def __init__(self, **options: Any) -> None:
        """Take it whole: blanks may be part of what is looked for. NUL is in no text of ours."""
        super().__init__(trim_whitespace=False, **options)
        nul = ProhibitNullCharactersValidator
        others = [each for each in self.validators if not isinstance(each, nul)]
        # The same refusal, as one that the schema can tell of.
        self.validators = [*others, RegexValidator(r"^[^\x00]+$", nul.message, nul.code)]


@extend_schema_field(OpenApiTypes.DATETIME)
class Moment(serializers.Field[datetime, str, str, Any]):
    """ISO 8601 with an offset: a time without one is nobody's."""

    default_error_messages = {
        "invalid": "Write it as 2026-11-23T09:30:00Z: with an offset, and its + as %2B."
    }

    def to_internal_value(self, data: str) -> datetime:
        """Return the moment. Raises ValidationError for what is none."""
        try:
            moment = parse_datetime(data.upper())
            if moment is None or moment.tzinfo is None:
                self.fail("invalid")
            return moment.astimezone(UTC)  # PostgreSQL reads no offset beyond 15:59
        except (ValueError, OverflowError):
            self.fail("invalid")

    def to_representation(self, value: datetime) -> str:
        """Return it as it is sent."""
        return value.isoformat()


class PageParameters(Parameters):
    """Which page of a list."""

    page_size = PlainInteger(min_value=1, max_value=200, required=False, help_text="50 without it.")
    cursor = Text(required=False, help_text="Of `next` or `previous`; follow those as they are.")


class TimeRangeParameters(PageParameters):
    """Which page of a list of what happened, and when it happened."""

    since = Moment(required=False, help_text="Not before this moment.")
    until = Moment(required=False, help_text="Before this moment.")


def read(sent: QueryDict, expected: type[Parameters]) -> dict[str, Any]:
    """Return what was asked for. Raises ValidationError for what can't be asked, or twice."""
    declared = expected._declared_fields
    if not sent and not any(field.required for field in declared.values()):
        return {}
    errors = {}
    for name, values in sent.lists():
        if name not in declared:
            known = ", ".join(declared) or "none"
            errors[name] = [f"There is no such parameter. There are: {known}."]
        elif len(values) > 1:
            errors[name] = ["Send it once."]
    if errors:
        raise exceptions.ValidationError(errors)
    asked = expected(data={name: values[0] for name, values in sent.lists()})
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def within(asked: dict[str, Any], field: str) -> dict[str, datetime]:
    """Return the look-ups for `since` and `until` on a field."""
    lookups = {"since": f"{field}__gte", "until": f"{field}__lt"}
    return {lookup: asked[name] for name, lookup in lookups.items() if name in asked}
