"""The examples of the API's schema: they fit it, they work, and answers look like them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import jsonschema_rs
import pytest
import time_machine
from django.utils.dateparse import parse_datetime
from drf_spectacular.generators import SchemaGenerator

from accounts.models import Account, Card
from billing_portal.api_examples import ACCOUNT_ID, EXAMPLES, RENTAL
from billing_portal.api_schema_examples import ERRORS
from invoices.models import Transaction
from plans.tests.api_client import Platform
from plans.tests.subscribers import make_subscriber

pytestmark = pytest.mark.django_db

NOW = parse_datetime("2026-11-23T09:35:00Z")
SCHEMA: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
CALLS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
}


def as_json_schema(part: Any) -> Any:
    """Return a part of an OpenAPI 3.0 schema as JSON Schema: what is `nullable` may be null."""
    if isinstance(part, list):
        return [as_json_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    plain = {key: as_json_schema(value) for key, value in part.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if part.get("nullable") is True else plain


COMPONENTS = as_json_schema(SCHEMA["components"])


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield where a body stands, its schema and its example."""
    places = {"request": operation.get("requestBody", {}), **operation["responses"]}
    for place, described in places.items():
        content = described.get("content", {}).get("application/json")
        if content is not None:
            yield place, content["schema"], content["example"]


@pytest.mark.parametrize("call", CALLS)
def test_every_body_has_an_example_that_fits_its_schema(call: str) -> None:
    _, _, operation = CALLS[call]
    for place, schema, example in bodies(operation):
        whole = {**as_json_schema(schema), "components": COMPONENTS}
        errors = jsonschema_rs.validator_for(whole, validate_formats=True).iter_errors(example)
        assert not [f"{place}: {error.message}" for error in errors]


def test_every_error_has_an_example() -> None:
    told = {status for _, _, operation in CALLS.values() for status in operation["responses"]}
    assert told - {"200", "201", "304"} == set(ERRORS)


def shape(value: Any) -> Any:
    """Return the names in a body, of the first of a list; what may be absent is left out."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def common(one: Any, other: Any) -> Any:
    """Return the part of a shape that two have in common, where one has nothing (null, [])."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: common(inner, other.get(name)) for name, inner in one.items()}
    if isinstance(one, list) and isinstance(other, list):
        return [common(one[0], other[0])]
    return None


def test_the_examples_work_and_are_answered_as_they_say(
    add_card: Callable[..., Card], platform: Platform
) -> None:
    assert NOW is not None
    with time_machine.travel(NOW, tick=False):
        account = make_subscriber(add_card, "growth", now=NOW - timedelta(days=20))
        Account.objects.filter(pk=account.pk).update(
            external_id="customer-42", owner_email="owner@nizwa.example"
        )
        order = ["set_rental", *(call for call in EXAMPLES if call != "set_rental")]
        for call in order:
            method, path, _ = CALLS[call]
            address = path.format(id=ACCOUNT_ID, feature=RENTAL).removeprefix("/api/v1/")
            query = urlencode(EXAMPLES[call].query)
            answer = platform.send(method, f"{address}?{query}", EXAMPLES[call].body)
            status, expected = next(iter(EXAMPLES[call].answers.items()))
            assert answer.status_code == int(status), (call, answer.content)
            actual, told = shape(answer.json()), shape(expected)
            assert common(actual, told) == common(told, actual), call
            assert actual is None or set(actual) == set(told), call
    assert Transaction.objects.filter(purpose="rental", status="paid").exists()


@pytest.fixture
def platform() -> Platform:
    return Platform()
