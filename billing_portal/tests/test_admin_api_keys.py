"""API keys in the admin: made, shown once, renamed and revoked."""

from datetime import timedelta

from django.test import Client
from django.urls import reverse

from accounts import api_keys
from accounts.models import ApiKey, AuditEvent, User
from accounts.tests.factories import NOW


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_new_key_is_shown_once_and_works(db: None) -> None:
    client = signed_in(User.objects.create_superuser("admin@staff.test"))
    new_key = reverse("admin:accounts_apikey_new_key")
    unticked = client.post(new_key, {"name": "Platform"})
    assert "Tick what this key is for." in unticked.content.decode()
    assert not ApiKey.objects.exists()
    page = client.post(
        new_key,
        {
            "name": "Platform",
            "scopes": ["usage:write", "accounts:read"],
            "expires_in_days": "90",
            "requests_per_minute": "600",
            "reason": "Metering moves to the new cluster",
        },
    )
    token = page.context["token"]
    assert token in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    key = api_keys.verify(token=token, now=NOW)
    assert key is not None
    assert (key.scopes, key.requests_per_minute) == (["usage:write", "accounts:read"], 600)
    assert key.expires_at == key.created_at + timedelta(days=90)
    assert AuditEvent.objects.get(action="api_key_created").reason.startswith("Metering moves")
    change = reverse("admin:accounts_apikey_change", args=[key.pk])
    assert token not in client.get(change).content.decode()


def test_a_key_is_renamed_and_its_limit_changed_but_never_its_scopes(db: None) -> None:
    admin = User.objects.create_superuser("admin@staff.test")
    key, _ = api_keys.create(name="Platform", scopes=["usage:write"], now=NOW)
    signed_in(admin).post(
        reverse("admin:accounts_apikey_change", args=[key.pk]),
        {
            "name": "Metering",
            "requests_per_minute": "60",
            "scopes": "rentals:write",
            "reason": "Its owner",
        },
    )
    key.refresh_from_db()
    assert (key.name, key.requests_per_minute, key.scopes) == ("Metering", 60, ["usage:write"])
    event = AuditEvent.objects.get(action="api_key_changed")
    assert (event.actor, event.reason) == (admin, "Its owner")
    assert event.details["after"] == {"name": "Metering", "requests_per_minute": 60}


def test_keys_are_found_by_their_state_and_scope(db: None) -> None:
    client = signed_in(User.objects.create_superuser("admin@staff.test"))
    old, day = NOW - timedelta(days=3), timedelta(days=1)
    revoked, _ = api_keys.create(name="Lost laptop", now=NOW)
    api_keys.revoke(key=revoked, now=NOW)
    api_keys.create(name="Trial", scopes=["usage:write"], expires_at=old + day, now=old)
    api_keys.create(name="Warehouse", scopes=["accounts:read"], now=NOW)
    keys = reverse("admin:accounts_apikey_changelist")

    def found(query: str) -> list[str]:
        page = client.get(f"{keys}?{query}")
        return sorted(key.name for key in page.context["cl"].result_list)

    assert found("state=valid") == ["Warehouse"]
    assert found("state=expired") == ["Trial"]
    assert found("state=revoked") == ["Lost laptop"]
    assert found("scope=accounts:read") == ["Lost laptop", "Warehouse"]


def test_a_key_is_revoked_for_a_reason_and_worthless_then(db: None) -> None:
    admin = User.objects.create_superuser("admin@staff.test")
    client = signed_in(admin)
    key, token = api_keys.create(name="Platform", now=NOW)
    revoke = reverse("admin:accounts_apikey_revoke", args=[key.pk])
    change = reverse("admin:accounts_apikey_change", args=[key.pk])
    assert revoke in client.get(change).content.decode()

    asked = client.post(revoke, {"reason": " "})
    assert "Say why, for whoever reads this next." in asked.content.decode()
    assert api_keys.verify(token=token, now=NOW) is not None

    client.post(revoke, {"reason": "Seen in a public repository."})
    assert api_keys.verify(token=token, now=NOW) is None
    event = AuditEvent.objects.get(action="api_key_revoked")
    assert (event.actor, event.reason) == (admin, "Seen in a public repository.")
    assert revoke not in client.get(change).content.decode()
    for nowhere in ("0", "x"):
        assert client.get(revoke.replace(str(key.pk), nowhere)).status_code == 404
