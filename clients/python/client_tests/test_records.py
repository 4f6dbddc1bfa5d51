"""A record that the portal would refuse is refused where it is made."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from billing_portal_client import UsageRecord, new_record_id

from client_tests.conftest import minutes
from plans import usage_records


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "i" * 200, "workspace": "مسقط", "description": "d" * 300},
        {"quantity": Decimal("1E+3")},
        {"quantity": "0"},
        {"quantity": 1_000_000_000},
        {"occurred_at": datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=UTC)},
    ],
)
def test_what_is_taken_here_is_well_formed_there(fields: dict[str, Any]) -> None:
    record = minutes(**fields)
    parsed = usage_records.parse_record(record.as_json())
    assert isinstance(parsed, usage_records.ParsedRecord)
    assert (parsed.id, parsed.quantity) == (record.id, Decimal(record.quantity))
    assert parsed.occurred_at == record.occurred_at


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"id": ""}, "id is empty"),
        ({"id": "i" * 201}, "id is longer than 200"),
        ({"account": ""}, "account is empty"),
        ({"workspace": "a\0b"}, "NUL"),
        ({"workspace": "\ud800"}, "surrogate"),
        ({"quantity": "1e3"}, "quantity must be"),
        ({"quantity": Decimal("NaN")}, "quantity must be"),
        ({"quantity": Decimal("-1")}, "quantity must be"),
        ({"quantity": "0.1234567"}, "quantity must be"),
        ({"quantity": 1_000_000_001}, "quantity must be"),
        ({"occurred_at": datetime(2026, 11, 23)}, "timezone"),  # noqa: DTZ001 (what is refused)
    ],
)
def test_what_the_portal_would_reject_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        minutes(**fields)


@pytest.mark.parametrize("quantity", [0.1, True, None])
def test_a_quantity_is_never_a_float(quantity: Any) -> None:
    with pytest.raises(TypeError, match="quantity"):
        minutes(quantity=quantity)


def test_ids_are_made_once_with_the_record_and_in_order_of_time() -> None:
    record = UsageRecord("external:a", "call_minutes", 1, datetime.now(tz=UTC))
    assert record.as_json()["id"] == record.id
    ids = [new_record_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert [each[:12] for each in ids] == sorted(each[:12] for each in ids)
