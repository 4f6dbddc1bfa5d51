"""What the platform reports: usage records parsed and checked, outside any transaction.

Every record is judged by itself: a bad one becomes a `Rejected` that says what to do, and holds
back none of its neighbours. Only an envelope that is no batch at all raises.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from plans.usage_models import MAXIMUM_QUANTITY

MAXIMUM_RECORDS: Final = 10_000
MAXIMUM_ID_LENGTH: Final = 200
_QUANTITY = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,6})?")
#: External ids are as long as their column, behind the word `external:`.
_MAXIMUM_ACCOUNT_LENGTH: Final = 200 + len("external:")


class Code(StrEnum):
    """Why a record is rejected (DESIGN.md section 8)."""

    INVALID_RECORD = "invalid_record"
    INVALID_QUANTITY = "invalid_quantity"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_FEATURE = "unknown_feature"
    NOT_IN_PLAN = "not_in_plan"
    TOO_OLD = "too_old"
    IN_FUTURE = "in_future"
    CONFLICT = "conflict"


# A struct is made several times as quickly as a dataclass.
class ParsedRecord(msgspec.Struct, frozen=True, gc=False):
    """A well-formed record. `account` is as it was sent: a UUID or `external:<external_id>`."""

    id: str
    account: str
    feature: str
    quantity: Decimal
    occurred_at: datetime  # UTC
    workspace: str = ""
    source: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is not recorded, and why. `id` is None when it has no usable one."""

    id: str | None
    code: Code
    detail: str


class EnvelopeError(Exception):
    """The body is no batch of records: nothing of it was read."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class _Numeral(str):
    """A JSON number as it was written: neither a float nor a huge int is ever made of it."""

    __slots__ = ()


_decoder = json.JSONDecoder(parse_float=_Numeral, parse_int=_Numeral, parse_constant=_Numeral)


def parse_line(line: bytes) -> ParsedRecord | Rejected:
    """Parse one record that is written in JSON, as in a line of NDJSON."""
    if well_formed := _decode(line, _one_decoder):
        return well_formed[0]
    try:
        record = _decoder.decode(line.decode())
    except UnicodeDecodeError:
        return Rejected(None, Code.INVALID_RECORD, "The line is not UTF-8.")
    except json.JSONDecodeError as error:
        return Rejected(
            None,
            Code.INVALID_RECORD,
            f"The line is not JSON: {error.msg} at character {error.pos + 1}.",
        )
    except RecursionError:
        return Rejected(None, Code.INVALID_RECORD, "The line is nested too deeply.")
    return parse_record(record)


def parse_body(body: bytes) -> list[ParsedRecord | Rejected]:
    """Parse the JSON body of POST /usage/. Raises EnvelopeError when it is no batch."""
    if well_formed := _decode(body, _batch_decoder):
        return [*well_formed]
    try:
        envelope = _decoder.decode(body.decode())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise EnvelopeError("invalid_json", f"The body is not JSON in UTF-8: {error}") from error
    except RecursionError as error:
        raise EnvelopeError("invalid_json", "The body is nested too deeply.") from error
    if not isinstance(envelope, dict) or "records" not in envelope:
        raise EnvelopeError(
            "invalid_request", 'The body must be an object with a list: {"records": [...]}.'
        )
    records = envelope["records"]
    if not isinstance(records, list) or not records:
        raise EnvelopeError(
            "invalid_request", f"`records` must be a list of 1 to {MAXIMUM_RECORDS:,} records."
        )
    if len(records) > MAXIMUM_RECORDS:
        raise EnvelopeError(
            "batch_too_large",
            f"A batch takes at most {MAXIMUM_RECORDS:,} records; this one has {len(records):,}. "
            "Send it in parts.",
        )
    return [parse_record(record) for record in records]


def parse_record(record: Any) -> ParsedRecord | Rejected:
    """Check one record; `record` is what the JSON parser made of it."""
    if type(record) is not dict:
        return Rejected(None, Code.INVALID_RECORD, "A record must be an object.")
    record_id = None
    try:
        record_id = _text(record, "id", MAXIMUM_ID_LENGTH, required=True)
        return ParsedRecord(
            id=record_id,
            account=_text(record, "account", _MAXIMUM_ACCOUNT_LENGTH, required=True),
            feature=_text(record, "feature", 64, required=True),
            quantity=_quantity(record),
            occurred_at=_occurred_at(record),
            workspace=_text(record, "workspace", 200),
            source=_text(record, "source", 200),
            description=_text(record, "description", 300),
        )
    except _Problem as problem:
        return Rejected(record_id, problem.code, problem.detail)


# Well-formed records, all at once. Whatever is not just so is left to the careful way above, which
# knows what to say of it: both accept the same, and make the same of it.
class _Sent(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A record with its known fields only, none too long."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAXIMUM_ID_LENGTH)]
    account: Annotated[str, msgspec.Meta(min_length=1, max_length=_MAXIMUM_ACCOUNT_LENGTH)]
    feature: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    quantity: msgspec.Raw
    occurred_at: Annotated[str, msgspec.Meta(max_length=40)]
    workspace: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    source: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    description: Annotated[str, msgspec.Meta(max_length=300)] | None = None


class _SentBatch(msgspec.Struct, forbid_unknown_fields=True):
    records: Annotated[list[_Sent], msgspec.Meta(min_length=1, max_length=MAXIMUM_RECORDS)]


_batch_decoder = msgspec.json.Decoder(_SentBatch)
_one_decoder = msgspec.json.Decoder(_Sent)
_A_QUANTITY: Final = rb'(?:[0-9]{1,9}(?:\.[0-9]{1,6})?|"[0-9]{1,9}(?:\.[0-9]{1,6})?")'
_QUANTITIES: Final = re.compile(_A_QUANTITY + rb"(?:," + _A_QUANTITY + rb")*")


def _decode(
    content: bytes, decoder: "msgspec.json.Decoder[_Sent] | msgspec.json.Decoder[_SentBatch]"
) -> list[ParsedRecord] | None:
    """Return the records if every one is well-formed, and None if it takes a closer look."""
    if b"\\u0000" in content:
        return None
    try:
        decoded = decoder.decode(content)
        return _well_formed([decoded] if isinstance(decoded, _Sent) else decoded.records)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        return None


def _well_formed(sent: Sequence[_Sent]) -> list[ParsedRecord] | None:
    """Return the records unless a quantity or time is not. Raises ValueError for some of these."""
    quantities = b",".join([each.quantity for each in sent])
    written_moments = [each.occurred_at for each in sent]
    if not _QUANTITIES.fullmatch(quantities) or not "".join(written_moments).isascii():
        return None
    moments = list(map(datetime.fromisoformat, written_moments))
    if any(moment.tzinfo is None for moment in moments):
        return None
    return [
        ParsedRecord(
            each.id,
            each.account,
            each.feature,
            quantity,
            moment if moment.tzinfo is UTC else moment.astimezone(UTC),
            each.workspace or "",
            each.source or "",
            each.description or "",
        )
        for each, quantity, moment in zip(
            sent,
            map(Decimal, quantities.replace(b'"', b"").decode().split(",")),
            moments,
            strict=True,
        )
    ]


class _Problem(Exception):
    """What is wrong with a record."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def _quantity(record: dict[str, Any]) -> Decimal:
    quantity = parse_quantity(record.get("quantity"))
    if quantity is None:
        raise _Problem(
            Code.INVALID_QUANTITY,
            f"`quantity` must be a number from 0 to {MAXIMUM_QUANTITY:,} with at most 6 decimals, "
            'written in plain digits, such as "12.5".',
        )
    return quantity


def _occurred_at(record: dict[str, Any]) -> datetime:
    occurred_at = parse_moment(record.get("occurred_at"))
    if occurred_at is None:
        raise _Problem(
            Code.INVALID_RECORD,
            "`occurred_at` must be a time in ISO 8601 with an offset, such as "
            '"2026-11-23T09:30:00Z".',
        )
    return occurred_at


def parse_quantity(value: Any) -> Decimal | None:
    """Return the quantity, or None when it is not one: plain ASCII digits, within its bounds."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        return None
    quantity = Decimal(value)
    return quantity if quantity <= MAXIMUM_QUANTITY else None


def parse_moment(value: Any) -> datetime | None:
    """Return the moment in UTC, or None for anything but ISO 8601 with an offset."""
    if type(value) is not str or len(value) > 40 or not value.isascii():
        return None
    try:
        moment = datetime.fromisoformat(value)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _text(record: dict[str, Any], name: str, length: int, *, required: bool = False) -> str:
    """Return a text PostgreSQL can store. Raises _Problem for anything else."""
    value = record.get(name)
    if value is None and not required:
        return ""
    problem = ""
    if value is None:
        problem = "is missing."
    elif type(value) is not str:  # a _Numeral is not a text
        problem = "must be a string."
    elif required and not value:
        problem = "is empty."
    elif len(value) > length:
        problem = f"is longer than {length} characters; shorten it."
    elif "\0" in value:
        problem = "contains a NUL character; remove it."
    elif not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        problem = "contains half a surrogate pair, which is no character; send valid Unicode."
    if problem:
        raise _Problem(Code.INVALID_RECORD, f"`{name}` {problem}")
    return str(value)
