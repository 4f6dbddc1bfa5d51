"""API keys in Settings: made by owners, shown once, revoked at once."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import api_keys
from accounts.models import Account, ApiKey, AuditEvent, User
from billing_portal.dashboard.tests import scenes

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
PAGE = "/billing/settings/api-keys/"


@pytest.fixture
def owner(account: Account) -> User:
    return scenes.make_member(account, email="layla@muscat.test")


def make(client: Client, name: str = "Spreadsheet", days: str = "90", form: str = "one") -> str:
    typed = {"name": name, "expires_in_days": days, "request_key": form}
    return client.post(reverse("api-key-create"), typed, follow=True).content.decode()


def test_a_key_is_shown_once_and_reads_the_account(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    client = sign_in(account, user=owner)
    html = make(client)
    found = re.search(r"bp_[0-9a-f]{10}_[0-9a-f]{40}", html)
    assert found
    program = Client(headers={"Authorization": f"Bearer {found[0]}"})
    listed = program.get("/api/v1/accounts/").json()["results"]
    assert [each["id"] for each in listed] == [str(account.pk)]

    page = client.get(PAGE)
    assert found[0] not in page.content.decode()
    assert f"bp_{found[0].split('_')[1]}_…" in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert found[0] not in str(dict(client.session))
    key = ApiKey.objects.get()
    assert (key.account, key.scopes) == (account, ["accounts:read"])
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days == 90


def test_the_form_sent_again_makes_no_second_key(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    client = sign_in(account, user=owner)
    make(client)
    assert "This key was made already" in make(client)
    # Nor by a click that comes in at the same moment, when no session knows of the first yet.
    assert "This key was made already" in make(sign_in(account, user=owner))
    assert ApiKey.objects.count() == 1
    make(client, form="another", days="")
    assert ApiKey.objects.filter(expires_at=None).count() == 1


@pytest.mark.parametrize(
    ("name", "days", "problem"),
    [
        ("", "90", "This field is required."),
        ("a\tb", "90", "printable"),
        ("x", "7", "valid choice"),
    ],
)
def test_what_makes_no_key_is_explained(
    account: Account, owner: User, sign_in: SignIn, name: str, days: str, problem: str
) -> None:
    assert problem in make(sign_in(account, user=owner), name, days)
    assert not ApiKey.objects.exists()


def test_an_account_that_has_enough_keys_is_told_to_revoke_one(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    for n in range(api_keys.MAXIMUM_OF_ACCOUNT):
        api_keys.create_for_account(account=account, name=f"{n}", now=timezone.now())
    assert "There are 10 keys in use" in make(sign_in(account, user=owner))


def test_a_revoked_key_is_refused_and_gone_from_the_page(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    key, token = api_keys.create_for_account(account=account, name="Reports", now=timezone.now())
    client = sign_in(account, user=owner)
    html = client.post(reverse("api-key-revoke", args=[key.pk]), follow=True).content.decode()
    assert "Reports is revoked" in html
    assert key.prefix not in html
    program = Client(headers={"Authorization": f"Bearer {token}"})
    assert program.get("/api/v1/accounts/").status_code == 401
    assert AuditEvent.objects.get(account=account, action="api_key_revoked").actor == owner


@pytest.mark.parametrize("role", ["billing", "viewer"])
def test_others_see_the_keys_and_make_and_revoke_none(
    account: Account, sign_in: SignIn, role: str
) -> None:
    key, _ = api_keys.create_for_account(account=account, name="Reports", now=timezone.now())
    client = sign_in(account, role=role)
    html = client.get(PAGE).content.decode().split("<main")[1]
    assert "Reports" in html
    assert "<form" not in html
    assert client.post(reverse("api-key-create"), {"name": "x"}).status_code == 403
    assert client.post(reverse("api-key-revoke", args=[key.pk])).status_code == 403


def test_keys_of_others_and_of_the_platform_do_not_exist_here(
    account: Account, owner: User, sign_in: SignIn
) -> None:
    theirs, _ = api_keys.create_for_account(
        account=scenes.make_company(), name="Theirs", now=timezone.now()
    )
    platform, _ = api_keys.create(name="Platform", now=timezone.now())
    client = sign_in(account, user=owner)
    for key in (theirs, platform):
        assert client.post(reverse("api-key-revoke", args=[key.pk])).status_code == 404
        key.refresh_from_db()
        assert key.revoked_at is None
    html = client.get(PAGE).content.decode()
    assert "Theirs" not in html
    assert "Platform" not in html
