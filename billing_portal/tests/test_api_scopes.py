"""What a key may do: each call needs one scope, and says so where it is refused."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts import api_keys
from accounts.models import ApiKey, Scope
from plans.tests.api_client import Platform

pytestmark = pytest.mark.django_db

ACCOUNT = "accounts/external:customer-42/"
NEEDED = {
    ("POST", "usage/"): Scope.USAGE_WRITE,
    ("GET", "accounts/"): Scope.ACCOUNTS_READ,
    ("GET", ACCOUNT): Scope.ACCOUNTS_READ,
    ("GET", f"{ACCOUNT}authorization/"): Scope.ACCOUNTS_READ,
    ("GET", f"{ACCOUNT}entries/"): Scope.ACCOUNTS_READ,
    ("GET", f"{ACCOUNT}transactions/"): Scope.ACCOUNTS_READ,
    ("GET", f"{ACCOUNT}usage/"): Scope.ACCOUNTS_READ,
    ("GET", f"{ACCOUNT}allowances/"): Scope.ACCOUNTS_READ,
    ("GET", f"{ACCOUNT}rentals/"): Scope.ACCOUNTS_READ,
    ("GET", f"{ACCOUNT}rentals/user_seat/"): Scope.ACCOUNTS_READ,
    ("POST", "accounts/"): Scope.ACCOUNTS_WRITE,
    ("PATCH", ACCOUNT): Scope.ACCOUNTS_WRITE,
    ("PUT", f"{ACCOUNT}rentals/user_seat/"): Scope.RENTALS_WRITE,
    ("GET", "plans/"): None,
    ("GET", "features/"): None,
}


def with_scopes(*scopes: Scope) -> Platform:
    return Platform(scopes=scopes)


def test_a_call_needs_its_scope_and_no_other() -> None:
    platforms = {scope: with_scopes(scope) for scope in Scope}
    for (method, path), needed in NEEDED.items():
        for scope, platform in platforms.items():
            body: Any = None if method == "GET" else {}
            response = platform.send(method, path, body)
            refused = needed is not None and scope != needed
            assert (response.status_code == 403) is refused, (method, path, scope)
            if refused:
                assert needed is not None
                assert response.json() == {
                    "code": "insufficient_scope",
                    "detail": f"The key lacks the scope {needed.value}.",
                    "fields": {},
                }
                assert response["WWW-Authenticate"] == (
                    f'Bearer error="insufficient_scope", scope="{needed.value}"'
                )


def test_head_needs_what_get_needs() -> None:
    assert with_scopes(Scope.USAGE_WRITE).send("HEAD", "accounts/").status_code == 403
    assert with_scopes(Scope.ACCOUNTS_READ).send("HEAD", "accounts/").status_code == 200


def test_the_schema_says_which_scope_a_call_needs(client: Client) -> None:
    answer = client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    said = {
        (method.upper(), path): operation
        for path, operations in json.loads(answer.content)["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    }
    assert len(said) == len(NEEDED)
    for (method, path), needed in NEEDED.items():
        template = path.replace("external:customer-42", "{id}").replace("user_seat", "{feature}")
        operation = said[method, f"/api/v1/{template}"]
        if needed is None:
            assert "403" not in operation["responses"]
        else:
            assert f"Needs the scope `{needed.value}`." in operation["description"]
            assert needed.value in operation["responses"]["403"]["description"]


# The command ----------------------------------------------------------------------------------
def create(*arguments: str) -> tuple[ApiKey, str]:
    """Run the command; return the key it made, and what it told a person."""
    out, err = StringIO(), StringIO()
    call_command("create_api_key", "--name", "Metering", *arguments, stdout=out, stderr=err)
    key = api_keys.verify(token=out.getvalue().strip(), now=timezone.now())
    assert key is not None
    return key, err.getvalue()


def test_the_command_makes_a_key_for_one_purpose_and_a_time() -> None:
    key, told = create("--scope", "usage:write", "--scope", "accounts:read", "--expires-in-days=90")
    assert key.scopes == ["usage:write", "accounts:read"]
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days == 90
    assert "usage:write, accounts:read, until 20" in told
    key, _ = create("--expires-at", "2099-01-31T00:00:00+04:00", "--requests-per-minute", "600")
    assert key.expires_at is not None
    assert key.expires_at.isoformat() == "2099-01-30T20:00:00+00:00"
    assert key.requests_per_minute == 600


def test_without_scopes_the_command_makes_a_key_for_everything_and_says_so() -> None:
    key, told = create()
    assert key.scopes == Scope.values
    assert "rentals:write, until it is revoked" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scope", "everything"],
        ["--expires-in-days", "0"],
        ["--expires-in-days", "99999999"],
        ["--expires-at", "tomorrow"],
        ["--expires-at", "2099-13-01T00:00:00Z"],
        ["--expires-at", "2099-01-31T00:00:00"],
        ["--expires-in-days", "1", "--expires-at", "2099-01-31T00:00:00Z"],
        ["--requests-per-minute", "0"],
    ],
)
def test_the_command_refuses_what_makes_no_key(arguments: list[str]) -> None:
    out: Any = StringIO()
    with pytest.raises(CommandError):
        call_command("create_api_key", "--name", "x", *arguments, stdout=out, stderr=StringIO())
    assert not out.getvalue()
    assert not ApiKey.objects.exists()
