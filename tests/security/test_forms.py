"""What a browser can be made to send: forged forms, more fields than asked for, files."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import FileField
from django.test import Client
from pytest_django import Settings

from accounts import billing_details
from accounts.models import Account, Card, Membership, User
from accounts.roles import Role
from accounts.tests.factories import make_card
from billing_portal.dashboard.tests import scenes
from plans.tests.api_client import Platform
from tests.security.site_map import Address, addresses
from tests.security.victim import OUR_APPS
from wallet.models import Wallet

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
#: What carries proof of its own, and no session: a key, or Stripe's signature.
WITHOUT_A_SESSION = ("api:", "api-", "/api/", "stripe-webhook")


# Forged from another site ---------------------------------------------------------------------
def test_only_what_reads_no_session_takes_a_post_without_a_token() -> None:
    exempt = {a.name for a in addresses() if getattr(a.view, "csrf_exempt", False)}
    assert {name for name in exempt if not name.startswith(WITHOUT_A_SESSION)} == set()


@pytest.fixture
def owner() -> User:
    return scenes.make_member(scenes.make_company(name="Salalah Sand", balance="50"))


def posted() -> list[Address]:
    """All that a signed-in person's browser may post to, the admin's pages by their kind."""
    kinds: dict[Any, Address] = {}
    for address in addresses():
        if address.name.startswith(WITHOUT_A_SESSION):
            continue
        kind = address.name.rpartition("_")[2] if address.name.startswith("admin:") else None
        kinds[kind or address.name] = address
    return list(kinds.values())


def test_no_address_takes_a_form_of_another_site(owner: User) -> None:
    """Without the token, with somebody else's, and with the right one from another origin."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    client.force_login(owner)
    client.get("/accounts/password/change/")
    token = client.cookies["csrftoken"].value
    assert len(posted()) > 80
    for address in posted():
        for sent, origin in (({}, ""), ({"csrfmiddlewaretoken": token}, "https://evil.test")):
            headers = {"Origin": origin} if origin else {}
            answer = client.post(address.path(), sent, headers=headers)
            assert answer.status_code == 403, address.name
            assert b"This page has expired" in answer.content, address.name
    ours = client.post(
        "/billing/settings/language/", {"csrfmiddlewaretoken": token, "language": "ar"}
    )
    assert ours.status_code == 302


# More fields than the form has ----------------------------------------------------------------
#: A form as its page sends it, and which columns of the account, its wallet, the member and the
#: card it may change. A form that is new belongs here when it saves something of these.
FORMS: dict[str, tuple[dict[str, str], set[str]]] = {
    "billing-details": (
        dict.fromkeys(billing_details.ON_RECEIPTS, "Ours")
        | {"country": "OM", "receipt_email": "books@salalah.test"},
        {f"account.{name}" for name in billing_details.ON_RECEIPTS},
    ),
    "receipt-copies": ({"addresses": "books@salalah.test"}, {"account.receipt_copies"}),
    "time-and-language": (
        {"timezone": "Asia/Tokyo", "language": "ar"},
        {"account.timezone", "account.language"},
    ),
    "language": ({"language": "ar"}, {"user.language"}),
    "low-balance": ({"told": "on", "limit": "7.00"}, {"wallet.low_balance_limit"}),
    "spend-cap": (
        {"capped": "on", "cap": "70.00"},
        {"wallet.spend_cap", "wallet.spend_since", "wallet.unspent_balance"},
    ),
    "auto-refill": ({"enabled": "", "threshold": "20.00", "amount": "50.00"}, set()),
    "member-invite": ({"email": "new@salalah.test", "role": "viewer"}, set()),
    "member-role": ({"role": "viewer"}, set()),
    "api-key-create": ({"name": "Reports", "request_key": "1", "expires_in_days": "30"}, set()),
    "payment-method-default": ({}, {"card.is_default"}),
    "change-email": ({"email": "else@salalah.test"}, set()),
    "account_change_password": (
        {
            "oldpassword": scenes.PASSWORD,
            "password1": "a camel crosses the wadi",
            "password2": "a camel crosses the wadi",
        },
        {"user.password"},
    ),
}


def wished() -> dict[str, str]:
    """A value for each column of what a customer has: what a forged form would like to set."""
    columns = [
        name
        for model in (Account, Wallet, User, Membership, Card)
        for field in model._meta.concrete_fields
        for name in (field.name, field.attname)
    ]
    return dict.fromkeys(columns, "1") | {"is_staff": "on", "balance": "1000000.00"}


def columns_of(account: Account, owner: User, card: Card) -> dict[str, Any]:
    found = {
        "account": Account.objects.filter(pk=account.pk).values(),
        "wallet": Wallet.objects.filter(account=account).values(),
        "user": User.objects.filter(pk=owner.pk).values(),
        "membership": Membership.objects.filter(user=owner).values(),
        "card": Card.objects.filter(pk=card.pk).values(),
    }
    return {
        f"{name}.{column}": value for name, [row] in found.items() for column, value in row.items()
    }


@pytest.mark.parametrize("name", FORMS)
def test_a_form_saves_its_own_fields_and_no_others(owner: User, name: str) -> None:
    account = Account.objects.get(memberships__user=owner)
    make_card(account, is_default=True)
    card = make_card(account)
    colleague = scenes.make_member(account, Role.OWNER).memberships.get()
    client = Client()
    client.force_login(owner)
    client.post("/accounts/reauthenticate/", {"password": scenes.PASSWORD})
    [address] = [each for each in addresses() if each.name == name]
    path = address.path(pk=card.pk if "payment" in name else colleague.pk)
    fields, may_change = FORMS[name]
    before = columns_of(account, owner, card)

    answer = client.post(path, wished() | fields)

    assert answer.status_code in (200, 302), "the form itself was right"
    after = columns_of(account, owner, card)
    assert {column for column in after if after[column] != before[column]} == may_change


def test_the_api_sets_what_its_schema_says_and_nothing_else() -> None:
    platform = Platform()
    account = scenes.make_company(name="Salalah Sand", balance="50")
    owner, card = scenes.make_member(account), make_card(account)
    before = columns_of(account, owner, card)

    answer = platform.send(
        "PATCH",
        f"accounts/{account.pk}/",
        wished()
        | {
            "name": "Renamed",
            "owner_email": "else@salalah.test",
            "timezone": "Asia/Tokyo",
        },
    )

    assert answer.status_code == 200
    after = columns_of(account, owner, card)
    assert {column for column in after if after[column] != before[column]} == {
        "account.name",
        "account.owner_email",
        "account.timezone",
    }


# Files ----------------------------------------------------------------------------------------
def test_a_file_is_refused_before_it_is_kept(owner: User) -> None:
    """Signed in or not: else anybody fills the disk of the web server."""
    signed_in = Client()
    signed_in.force_login(owner)
    for client, path in ((Client(), "/accounts/login/"), (signed_in, "/billing/settings/time/")):
        file = SimpleUploadedFile("cat.png", b"x" * 4_000_000, "image/png")
        answer = client.post(path, {"login": "a@b.test", "file": file})
        assert answer.status_code == 400, path


def test_a_form_that_is_too_large_is_refused_unread(owner: User, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000
    client = Client()
    for how in (
        {},
        {"content_type": "application/x-www-form-urlencoded", "data": "a=" + "x" * 6_000},
    ):
        sent: dict[str, Any] = {"data": {"login": "x" * 6_000}, **how}
        assert client.post("/accounts/login/", **sent).status_code == 400
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 10
    many = {f"field{number}": "1" for number in range(11)}
    assert client.post("/accounts/login/", many).status_code == 400


def test_no_page_asks_for_a_file_and_no_table_names_one() -> None:
    asking = [
        path
        for path in (ROOT / "templates").rglob("*.html")
        if re.search(r"""multipart/form-data|type=["']?file""", path.read_text())
    ]
    assert asking == []
    fields = [
        field
        for app in OUR_APPS
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.get_fields()
        if isinstance(field, FileField)
    ]
    assert fields == []
