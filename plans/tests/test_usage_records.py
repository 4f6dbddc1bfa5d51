"""Bad input: each thing has its code, says what to do, and is never a fault of ours."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pytest

from plans.usage_records import (
    MAXIMUM_RECORDS,
    Code,
    EnvelopeError,
    ParsedRecord,
    Rejected,
    parse_body,
    parse_line,
    parse_moment,
    parse_quantity,
)

GOOD: dict[str, Any] = {
    "id": "call-1",
    "account": "external:customer-1",
    "feature": "call_minutes",
    "quantity": "12.5",
    "occurred_at": "2026-11-23T13:30:00+04:00",
}


def parse_one(raw: str) -> ParsedRecord | Rejected:
    """Parse a body with one record, written in JSON."""
    [record] = parse_body(f'{{"records": [{raw}]}}'.encode())
    return record


def with_field(name: str, value: Any) -> str:
    """Return the good record with one field replaced."""
    return json.dumps({**GOOD, name: value})


def test_a_good_record_is_parsed() -> None:
    record = parse_one(json.dumps({**GOOD, "workspace": "عيادة", "source": None}))
    assert record == ParsedRecord(
        id="call-1",
        account="external:customer-1",
        feature="call_minutes",
        quantity=Decimal("12.5"),
        occurred_at=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
        workspace="عيادة",
    )


@pytest.mark.parametrize(
    "quantity",
    [
        "NaN", "sNaN", "Infinity", "-Infinity", "1e400", "1e3", "1E3", "-1", "-0", "+1", "1_000",
        "\uff11\uff12", "\u0663", "\u00bd", "1,000", " 1", "1 ", "1\n", "", ".5", "5.", "0x10",
        "1000000000.000001", "1000000001", "0.0000001", "1.0000000", "9" * 5000, "1.5.5",
        None, True, False, [], {}, ["1"],
    ],
)  # fmt: skip
def test_a_bad_quantity_is_rejected(quantity: Any) -> None:
    record = parse_one(with_field("quantity", quantity))
    assert isinstance(record, Rejected)
    assert (record.id, record.code) == ("call-1", Code.INVALID_QUANTITY)
    assert "plain digits" in record.detail


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e400", "1e3", "1E-3", "-1", "-0", "1000000001", "9" * 5000,
     "0.0000001", "1" + "0" * 400],
)  # fmt: skip
def test_a_bad_json_number_is_rejected_without_ever_being_a_float(number: str) -> None:
    record = parse_one(with_field("quantity", "X").replace('"X"', number))
    assert isinstance(record, Rejected)
    assert record.code == Code.INVALID_QUANTITY


@pytest.mark.parametrize(
    ("number", "quantity"),
    [("0", "0"), ("12", "12"), ("0.1", "0.1"), ("0.000001", "0.000001"), ("1000000000", "1e9")],
)
def test_a_quantity_may_be_a_json_number_or_a_string(number: str, quantity: str) -> None:
    for raw in (number, f'"{number}"'):
        record = parse_one(with_field("quantity", "X").replace('"X"', raw))
        assert isinstance(record, ParsedRecord)
        assert record.quantity == Decimal(quantity)


def test_without_a_quantity_there_is_none() -> None:
    assert parse_quantity(None) is None


ODD: Final[list[Any]] = [
    None, "", "a", "عيادة", "a\0b", "\ud800", "x" * 201, 5, True, [], "12.5", 12, 1.5, "1000000000",
    "1000000000.1", "01", "1e3", "2026-11-23T09:30:00", "2026-11-23 09:30:00.1234567+0400",
    "2026-11-23T09:30:00z", "2026-11-23T24:00:00Z", "20261123T0930Z",
]  # fmt: skip


@pytest.mark.parametrize("name", [*GOOD, "workspace", "source", "description"])
def test_a_record_is_read_alike_alone_and_beside_one_that_takes_a_closer_look(name: str) -> None:
    for value in ODD:
        raw = with_field(name, value)
        alone = parse_one(raw)
        beside, _ = parse_body(f'{{"records": [{raw}, 1]}}'.encode())
        assert alone == beside == parse_line(raw.encode()), value


def test_a_field_that_is_not_known_is_left_out() -> None:
    assert parse_one(with_field("cost_center", "7")) == parse_one(json.dumps(GOOD))


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-23T09:30:00", "2026-11-23", "yesterday", "", "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00", "2026-02-30T00:00:00Z", "٢٠٢٦-11-23T09:30:00Z", None, 1, [],
        "2026-11-23T09:30:00+99:00", "2" * 100,
    ],
)  # fmt: skip
def test_a_time_without_an_offset_or_no_time_at_all_is_rejected(moment: Any) -> None:
    record = parse_one(with_field("occurred_at", moment))
    assert isinstance(record, Rejected)
    assert record.code == Code.INVALID_RECORD
    assert "occurred_at" in record.detail


def test_a_time_is_normalised_to_utc() -> None:
    assert parse_moment("2026-11-23T13:30:00.25+04:00") == datetime(
        2026, 11, 23, 9, 30, 0, 250000, tzinfo=UTC
    )


@pytest.mark.parametrize("name", ["id", "account", "feature", "workspace", "source", "description"])
@pytest.mark.parametrize(
    "text", ["a\0b", "\ud800", "\udfff\ud800", "x" * 301, 5, 1.5, True, [], {}, {"a": ["b"]}]
)
def test_a_text_that_can_not_be_stored_is_rejected_and_says_so(name: str, text: Any) -> None:
    record = parse_one(with_field(name, text))
    assert isinstance(record, Rejected)
    assert record.code == Code.INVALID_RECORD
    assert record.detail.startswith(f"`{name}` ")
    assert record.id == (None if name == "id" else "call-1")


@pytest.mark.parametrize("name", ["id", "account", "feature"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_or_empty_field_is_rejected(name: str, value: str | None) -> None:
    record = parse_one(with_field(name, value))
    assert isinstance(record, Rejected)
    assert record.code == Code.INVALID_RECORD


@pytest.mark.parametrize("raw", ["1", "null", '"x"', "[]", "[[]]", "true", "{}"])
def test_a_record_that_is_no_object_or_empty_is_rejected(raw: str) -> None:
    record = parse_one(raw)
    assert isinstance(record, Rejected)
    assert (record.id, record.code) == (None, Code.INVALID_RECORD)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"nonsense", "invalid_json"),
        (b"\xff\xfe{}", "invalid_json"),
        (b'{"records": [', "invalid_json"),
        (b'{"records": "\xc3"}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"records":' + b'{"a":' * 100_000, "invalid_json"),
        (b"{}", "invalid_request"),
        (b"[]", "invalid_request"),
        (b"null", "invalid_request"),
        (b"1", "invalid_request"),
        (b'"records"', "invalid_request"),
        (b'{"records": {}}', "invalid_request"),
        (b'{"records": null}', "invalid_request"),
        (b'{"records": []}', "invalid_request"),
        (b'{"records": [' + b"1," * MAXIMUM_RECORDS + b"1]}", "batch_too_large"),
    ],
)
def test_what_is_no_batch_is_refused_as_a_whole(body: bytes, code: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        parse_body(body)
    assert caught.value.code == code
    assert caught.value.detail


def test_a_batch_may_be_as_large_as_it_says() -> None:
    assert len(parse_body(b'{"records": [' + b"1," * (MAXIMUM_RECORDS - 1) + b"1]}")) == 10_000


def test_a_duplicate_key_of_an_object_counts_once_the_last_one() -> None:
    record = parse_one(json.dumps(GOOD)[:-1] + ', "quantity": "3"}')
    assert isinstance(record, ParsedRecord)
    assert record.quantity == 3
