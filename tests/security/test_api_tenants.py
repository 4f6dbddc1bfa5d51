"""Every call of the API, as our schema has it, with the keys of another customer."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from accounts import api_keys
from accounts.models import Scope
from billing_portal.dashboard.tests import scenes
from tests.security.site_map import addresses
from tests.security.victim import Victim, fingerprint_of, left_of
from tests.security.whose import CALLS

pytestmark = pytest.mark.django_db


def operations() -> Iterator[tuple[str, str, str]]:
    """Operation, method and path of every call, as our OpenAPI schema has it."""
    answer = Client().get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    for path, calls in json.loads(answer.content)["paths"].items():
        for method, operation in calls.items():
            if method != "parameters":
                yield operation["operationId"], method.upper(), path


def test_every_call_is_classified() -> None:
    assert {operation for operation, _, _ in operations()} == CALLS.keys()
    in_the_schema = {path.removeprefix("/api/") for _, _, path in operations()}
    served = {
        address.route.removeprefix("api/").replace("<str:", "{").replace(">", "}")
        for address in addresses()
        if address.name.startswith("api:")
    }
    assert in_the_schema == served


def bodies_about(victim: Victim) -> dict[str, Any]:
    """What each call that writes could do to tenant A, had the key the right."""
    record = {
        "id": "forged-1",
        "account": str(victim.account.pk),
        "feature": "llm_tokens",
        "quantity": "1000",
        "occurred_at": timezone.now().isoformat(),
    }
    return {
        "report_usage": {"records": [record]},
        "provision_account": {
            "external_id": victim.account.external_id,
            "name": "Ours",
            "owner_email": "thief@nowhere.test",
        },
        "change_account": {"owner_email": "thief@nowhere.test"},
        "set_rental": {"quantity": 5},
    }


def test_no_call_reaches_another_customer_by_address_query_or_body(victim: Victim) -> None:
    """With every key a customer may have: theirs, and one that is expired or revoked."""
    now = timezone.now()
    other = scenes.make_company(name="Salalah Sand")
    key, token = api_keys.create_for_account(account=other, name="Ours", now=now)
    expired = api_keys.create_for_account(
        account=other, name="Old", expires_at=now, now=now - timedelta(days=2)
    )
    revoked, dead = api_keys.create_for_account(account=other, name="Gone", now=now)
    api_keys.revoke(key=revoked, now=now)
    before, written = fingerprint_of(victim), bodies_about(victim)
    names = (str(victim.account.pk), f"external:{victim.account.external_id}")
    for sent, works in ((token, True), (expired[1], False), (dead, False), ("bp_x_y", False)):
        client = Client(headers={"Authorization": f"Bearer {sent}"})
        for (operation, method, template), name in product(operations(), names):
            path = template.replace("{id}", name).replace("{feature}", "phone_number")
            body = json.dumps(written.get(operation, {}))
            required = "?quantity=4" if operation == "preview_rental" else ""
            asked = client.generic(method, path + required, body, "application/json")
            expected = {"named": 404, "refused": 403}.get(CALLS[operation], 200)
            assert asked.status_code == (expected if works else 401), (operation, name)
            assert not left_of(asked.content), (operation, name)
    asked_for = ("external_id=zanzibar-1", f"email={victim.account.owner_email}")
    for query in asked_for:
        client = Client(headers={"Authorization": f"Bearer {token}"})
        assert client.get(f"/api/v1/accounts/?{query}").json()["results"] == []
    assert fingerprint_of(victim) == before
    assert key.account_id == other.pk


@pytest.mark.parametrize("scope", list(Scope))
def test_a_key_of_a_customer_has_no_scope_that_writes(scope: Scope) -> None:
    """Whoever makes it and however: PostgreSQL refuses the row."""
    other = scenes.make_company()
    if scope == Scope.ACCOUNTS_READ:
        api_keys.create(name="Reads", scopes=[scope], account=other, now=timezone.now())
        return
    with pytest.raises(IntegrityError, match="a_customers_key_only_reads"):
        api_keys.create(name="Writes", scopes=[scope], account=other, now=timezone.now())


def test_a_session_is_no_key(victim: Victim) -> None:
    """So the API needs no CSRF token: no browser can be made to ask it for its user."""
    client = Client()
    client.force_login(victim.owner)
    for operation, method, template in operations():
        path = template.replace("{id}", str(victim.account.pk)).replace("{feature}", "user_seat")
        answer = client.generic(method, path, "{}", "application/json")
        assert answer.status_code == 401, operation
        assert not left_of(answer.content)
