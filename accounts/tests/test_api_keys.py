"""Keys of the API: shown once, kept as a hash, worthless when revoked."""

from datetime import timedelta

import pytest
from django.db import connection
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


def test_a_key_needs_a_name() -> None:
    with pytest.raises(ValueError, match="name"):
        api_keys.create(name=" ", now=NOW)
