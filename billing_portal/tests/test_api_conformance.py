"""The API is what its schema says: called with what fits the schema and with what does not.

A short form runs with the tests; `make api-conformance` is the long one.
"""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth

from accounts import api_keys
from accounts.tests.factories import make_account
from plans import catalogue, subscriptions, usage
from plans.models import PlanVersion
from plans.tests.factories import make_record, make_wallet

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("API_CONFORMANCE_EXAMPLES", "5"))

printable = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), min_size=1, max_size=200
)
schemathesis.openapi.format("printable", printable)
schemathesis.openapi.format("external-id", printable)
schemathesis.openapi.format("plan-slug", st.sampled_from(["payg", "starter", "growth"]))
schemathesis.openapi.format("time-zone", st.sampled_from(["UTC", "Asia/Muscat"]))


@schemathesis.serializer("application/x-ndjson")
def write_line(ctx: Any, record: Any) -> bytes:
    """Write a record as the only line of a body."""
    return json.dumps(record).encode() + b"\n"


REFUSALS = ["400", "401", "403", "404", "405", "406", "409", "415"]
RENTAL_ANSWERS = ["2xx", "400", "404", "409"]

schema = schemathesis.openapi.from_dict(
    SchemaGenerator().get_schema(request=None, public=True),
    config=SchemathesisConfig.from_dict(
        {
            "seed": 1,
            # A batch that is too long is refused, too.
            "checks": {"negative_data_rejection": {"expected-statuses": [*REFUSALS, "413"]}},
            # Plan, card and services decide what may be rented: no schema can say that.
            "operations": [
                {
                    "include-operation-id": ["set_rental", "preview_rental"],
                    "checks": {"positive_data_acceptance": {"expected-statuses": RENTAL_ANSWERS}},
                }
            ],
            "generation": {
                "deterministic": True,
                "max-examples": EXAMPLES,
                "with-security-parameters": False,  # the key is always sent
            },
            "dictionaries": {
                "accounts": {"values": ["external:customer-42"]},
                "rentals": {"values": ["phone_number", "user_seat"]},
            },
            "parameters": {
                "path.id": {"dictionary": "accounts", "probability": 0.8},
                "path.feature": {"dictionary": "rentals", "probability": 0.8},
            },
        }
    ),
)
schema.app = get_wsgi_application()


short_or_long = settings(
    max_examples=EXAMPLES,
    stateful_step_count=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def token(settings: Any) -> Iterator[str]:
    """A key, and the account that the schema speaks of."""
    cache.clear()
    # As Django's own test client does: what a test does is never committed.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    settings.API_REQUESTS_PER_MINUTE = {"default": 10**9}
    now = timezone.now()
    catalogue.load(now=now)
    account = make_account(external_id="customer-42", created_at=now - timedelta(days=40))
    make_wallet(account, balance="20")
    version = PlanVersion.objects.get(plan__slug="payg")
    subscriptions.start_free(account=account, plan_version=version, now=now - timedelta(days=10))
    usage.record(records=[make_record(account, occurred_at=now - timedelta(days=1))], now=now)
    yield api_keys.create(name="schemathesis", now=now)[1]
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)
    cache.clear()


def test_every_check_is_on_for_every_call() -> None:
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        checks = schema.config.checks_config_for(operation=found.ok())
        off = [name for name in CHECKS.get_all_names() if not checks.get_by_name(name=name).enabled]
        assert off == [], found.ok().label


@schema.parametrize()
@short_or_long
def test_each_call_is_as_its_schema_says(case: schemathesis.Case, token: str) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {token}"})


def test_calls_that_follow_each_other_are_as_the_schema_says(token: str) -> None:
    """An account that is made is there afterwards, whichever call asks for it."""

    class Calls(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"headers": {"Authorization": f"Bearer {token}"}}

        def validate_response(self, response: Any, case: schemathesis.Case, **options: Any) -> None:
            # Whether a key is needed is asked above; here it would take ours for a made-up one.
            case.validate_response(
                response,
                excluded_checks=[ignored_auth],
                transport_kwargs=options,
                recorder=self.recorder,
            )

    Calls.run(settings=settings(short_or_long, max_examples=5))
