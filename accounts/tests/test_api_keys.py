"""Keys of the API: shown once, kept as a hash, worthless when revoked."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from accounts import api_keys
from accounts.models import ApiKey, AuditEvent
from accounts.tests.factories import NOW

pytestmark = pytest.mark.django_db


def test_a_token_is_found_by_its_hash_only() -> None:
    key, token = api_keys.create(name="platform", now=NOW)
    assert token.startswith(f"bp_{key.prefix}_")
    assert token.rsplit("_", 1)[1] not in f"{key.secret_hash}{key.prefix}{key.name}"
    assert len(key.secret_hash) == 64
    assert api_keys.verify(token=token, now=NOW) == key


def test_two_keys_differ() -> None:
    tokens = {api_keys.create(name="platform", now=NOW)[1] for _ in range(20)}
    assert len(tokens) == 20


def test_a_wrong_token_is_none_of_ours() -> None:
    key, token = api_keys.create(name="platform", now=NOW)
    other, _ = api_keys.create(name="other", now=NOW)
    secret = token.rsplit("_", 1)[1]
    for wrong in [
        "", "bp", "bp_", "bp__", "x", token[:-1], token + "0", token.upper(), f"{token} ",
        f"bp_{key.prefix}_", f"bp_{other.prefix}_{secret}", f"xx_{key.prefix}_{secret}",
        f"bp_\0_{secret}", f"bp_{'a' * 500}_{secret}", f"bp_{key.prefix}_\udcff",
    ]:  # fmt: skip
        assert api_keys.verify(token=wrong, now=NOW) is None


def test_a_revoked_key_is_worthless_at_once() -> None:
    key, token = api_keys.create(name="platform", now=NOW)
    api_keys.revoke(key=key, now=NOW)
    api_keys.revoke(key=key, now=NOW)
    assert api_keys.verify(token=token, now=NOW) is None
    assert AuditEvent.objects.filter(action="api_key_revoked").count() == 1


def test_its_use_is_noted_at_most_once_a_minute() -> None:
    key, token = api_keys.create(name="platform", now=NOW)
    noted = []
    for seconds in (0, 1, 59, 60, 61):
        with CaptureQueriesContext(connection) as captured:
            api_keys.verify(token=token, now=NOW + timedelta(seconds=seconds))
        noted.append(len(captured) == 2)
    assert noted == [True, False, False, True, False]
    assert ApiKey.objects.get(pk=key.pk).last_used_at == NOW + timedelta(seconds=60)


def test_an_expired_key_is_worthless() -> None:
    end = NOW + timedelta(days=90)
    key, token = api_keys.create(name="platform", expires_at=end, now=NOW)
    assert api_keys.verify(token=token, now=end - timedelta(seconds=1)) == key
    assert api_keys.verify(token=token, now=end) is None


def test_a_key_may_do_everything_or_what_it_was_made_for() -> None:
    key, _ = api_keys.create(name="platform", now=NOW)
    assert key.scopes == ["usage:write", "accounts:read", "accounts:write", "rentals:write"]
    metering, _ = api_keys.create(
        name="metering", scopes=["accounts:read", "usage:write", "usage:write"], now=NOW
    )
    assert metering.scopes == ["usage:write", "accounts:read"]
    event = AuditEvent.objects.get(details__prefix=metering.prefix)
    assert event.details["scopes"] == metering.scopes


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["usage:write", "everything"]}, "scopes"),
        ({"expires_at": NOW}, "expires_at"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(wish: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        api_keys.create(**{"name": "platform", "now": NOW, **wish})
    assert set(caught.value.message_dict) == {field}
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"scopes": []}, "a_key_has_scopes_that_are_known"),
        ({"scopes": ["everything"]}, "a_key_has_scopes_that_are_known"),
        ({"expires_at": NOW}, "a_key_expires_after_it_was_made"),
        ({"requests_per_minute": 0}, "a_key_may_ask_at_least_once_a_minute"),
    ],
)
def test_the_database_keeps_no_such_key(change: dict[str, Any], constraint: str) -> None:
    key, _ = api_keys.create(name="platform", now=NOW)
    with pytest.raises(IntegrityError, match=constraint):
        ApiKey.objects.filter(pk=key.pk).update(**change)
