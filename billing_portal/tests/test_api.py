"""What every call of the API has in common: keys, limits, errors, the schema."""

import json
import logging
import urllib.error
import urllib.request
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from accounts import api_keys
from accounts.models import Account, AuditEvent, User
from accounts.tests.factories import NOW, make_account
from invoices import charging
from invoices.charging import NewLine
from invoices.models import Purpose, Status
from plans.tests.api_client import Platform
from plans.tests.factories import make_subscription, make_version, make_wallet
from wallet.models import Wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform() -> Platform:
    return Platform()


def assert_error(response: Any, status: int, code: str) -> dict[str, Any]:
    """Assert the status and the one shape of errors; return the body."""
    assert response.status_code == status, response.content
    body: dict[str, Any] = response.json()
    assert set(body) == {"code", "detail", "fields"}
    assert body["code"] == code
    assert body["detail"]
    return body


# Keys -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "not_authenticated"),
        ("", "not_authenticated"),
        ("Bearer", "authentication_failed"),
        ("Bearer nonsense", "authentication_failed"),
        ("Bearer bp_0123456789_" + "0" * 40, "authentication_failed"),
        ("Bearer a b", "authentication_failed"),
        ("Basic dXNlcjpwYXNz", "authentication_failed"),
        ("Bearer bp_\xff_x", "authentication_failed"),
    ],
)
@pytest.mark.parametrize("path", ["usage/", "accounts/", "plans/", "accounts/x/authorization/"])
def test_without_a_good_key_nothing_is_answered(header: str | None, code: str, path: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    client = Client(headers=headers)
    send = client.post if path == "usage/" else client.get
    response = send(f"/api/v1/{path}")
    assert_error(response, 401, code)
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_revoked_key_is_refused(platform: Platform) -> None:
    assert platform.send("GET", "features/").status_code == 200
    api_keys.revoke(key=platform.key, now=timezone.now())
    assert_error(platform.send("GET", "features/"), 401, "authentication_failed")


def test_a_session_is_no_key(client: Client) -> None:
    client.force_login(User.objects.create_superuser("admin@demo.test", "a-long-password"))
    assert_error(client.get("/api/v1/accounts/"), 401, "not_authenticated")


# Errors ---------------------------------------------------------------------------------------
def test_an_address_that_is_no_call_is_not_found(platform: Platform) -> None:
    for path in ("", "nonsense/", "usage", "accounts/x/y/z/", "../../x"):
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            assert_error(platform.send(method, path), 404, "not_found")


def test_a_method_a_call_does_not_have_is_not_allowed(platform: Platform) -> None:
    for method, path, allowed in [
        ("GET", "usage/", "POST"),
        ("DELETE", "accounts/", "GET, HEAD, POST"),
        ("POST", "plans/", "GET, HEAD"),
        ("OPTIONS", "plans/", "GET, HEAD"),
    ]:
        response = platform.send(method, path, {})
        assert_error(response, 405, "method_not_allowed")
        assert response["Allow"] == allowed


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data"])
def test_a_body_that_is_no_json_is_not_supported(platform: Platform, content_type: str) -> None:
    response = platform.send("POST", "accounts/", b"x", content_type=content_type)
    assert_error(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body", [b"nonsense", b"\xff", b"[" * 100_000, b'{"a": NaN}', b"9" * 5000 + b"x"]
)
def test_broken_json_has_its_code(platform: Platform, body: bytes) -> None:
    assert_error(platform.send("POST", "accounts/", body), 400, "invalid_json")


def test_a_body_over_the_limit_is_too_large(platform: Platform, settings: LazySettings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    response = platform.send("POST", "accounts/", b'{"name": "' + b"x" * 100 + b'"}')
    assert_error(response, 413, "body_too_large")


def test_a_fault_of_ours_is_told_in_the_same_shape_and_logged(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(**_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("plans.api_authorization.authorization.check", break_down)
    platform.client.raise_request_exception = False
    with caplog.at_level(logging.ERROR, "django.request"):
        response = platform.send("GET", "accounts/x/authorization/")
    body = assert_error(response, 500, "internal_error")
    assert "secret" not in json.dumps(body)
    assert "secret detail" in caplog.text


# Accounts -------------------------------------------------------------------------------------
def provision(platform: Platform, **changes: Any) -> Any:
    """Ask for an account on a plan that costs nothing."""
    from plans import catalogue

    catalogue.load(now=timezone.now())
    content = {"external_id": "c-1", "name": "Nizwa", "owner_email": "o@nizwa.test", **changes}
    return platform.send("POST", "accounts/", content)


def test_an_account_is_made_once(platform: Platform) -> None:
    made = provision(platform)
    assert made.status_code == 201
    account = made.json()
    assert account["plan"] == "payg"
    assert account["subscription"]["status"] == "active"
    assert account["balance"] == "0.000000"
    assert account["auto_refill"]["enabled"] is False
    again = provision(platform)
    assert (again.status_code, again.json()) == (200, account)
    assert_error(provision(platform, name="Other"), 409, "conflict")
    assert Account.objects.count() == 1


def test_an_account_on_a_paid_plan_waits(platform: Platform) -> None:
    account = provision(platform, plan="growth").json()
    assert account["plan"] == "growth"
    assert account["subscription"] == {
        "status": "inactive",
        "current_period_start": None,
        "current_period_end": None,
        "cancel_at_period_end": False,
        "changes_to": None,
    }
    answer = platform.get("accounts/external:c-1/authorization/")
    assert (answer["allowed"], answer["reasons"]) == (False, ["no_subscription"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"external_id": None}, "external_id"),
        ({"external_id": "a/b"}, "external_id"),
        ({"external_id": "a\0"}, "external_id"),
        ({"name": "\ud800"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"owner_email": "x"}, "owner_email"),
        ({"plan": "nonsense"}, "plan"),
        ({"plan": "\ud800"}, "plan"),
        ({"timezone": "Mars"}, "timezone"),
        ({"timezone": 5}, "timezone"),
        ({"name": {"a": 1}}, "name"),
    ],
)
def test_an_account_that_can_not_be_made_says_which_field(
    platform: Platform, changes: dict[str, Any], field: str
) -> None:
    body = assert_error(provision(platform, **changes), 400, "invalid_request")
    assert set(body["fields"]) == {field}


@pytest.mark.parametrize("body", [[], "x", 1, None, [[]]])
def test_an_account_is_an_object(platform: Platform, body: Any) -> None:
    assert_error(
        platform.send("POST", "accounts/", json.dumps(body).encode()), 400, "invalid_request"
    )


def test_an_account_is_changed(platform: Platform) -> None:
    provision(platform)
    response = platform.send("PATCH", "accounts/external:c-1/", {"timezone": "Asia/Muscat"})
    assert response.json()["timezone"] == "Asia/Muscat"
    assert AuditEvent.objects.filter(action="account_changed").count() == 1
    for change in ({"timezone": "Mars"}, {"name": ""}, {"owner_email": "x"}):
        response = platform.send("PATCH", "accounts/external:c-1/", change)
        assert set(assert_error(response, 400, "invalid_request")["fields"]) == set(change)


def test_accounts_are_listed_in_a_fixed_number_of_queries(
    platform: Platform, django_assert_max_num_queries: Any
) -> None:
    version = make_version()
    for _ in range(5):
        account = make_account()
        make_wallet(account)
        make_subscription(account, version)
    platform.get("accounts/")
    with django_assert_max_num_queries(5):
        assert len(platform.get("accounts/")["results"]) == 5
    found = platform.get(f"accounts/?external_id={account.external_id}")["results"]
    assert [each["id"] for each in found] == [str(account.pk)]


@pytest.mark.parametrize("name", ["nobody", "external:", "external:%00", "0" * 36, "é"])
def test_an_account_that_is_not_there_is_not_found(platform: Platform, name: str) -> None:
    for path in ("", "entries/", "usage/", "transactions/", "allowances/"):
        assert_error(platform.send("GET", f"accounts/{name}/{path}"), 404, "not_found")
    assert_error(platform.send("PATCH", f"accounts/{name}/", {}), 404, "not_found")
    assert_error(
        platform.send("PUT", f"accounts/{name}/rentals/user_seat/", {"quantity": 1}),
        404,
        "not_found",
    )


@pytest.mark.parametrize("quantity", ["1_000", "٢٥", "+1", " 1 ", True, "1.5", -1, None])
def test_a_number_of_rentals_is_written_in_plain_digits(platform: Platform, quantity: Any) -> None:
    account_id = provision(platform).json()["id"]
    path = f"accounts/{account_id}/rentals/phone_number/"
    assert_error(platform.send("PUT", path, {"quantity": quantity}), 400, "invalid_request")


def test_the_ledger_is_read_newest_first(platform: Platform) -> None:
    account = make_account()
    make_wallet(account, balance="5")
    [entry] = platform.get(f"accounts/{account.pk}/entries/?kind=refund")["results"]
    assert entry["sequence"] == 1
    assert (entry["amount"], entry["balance_after"]) == ("5.000000", "5.000000")
    assert (entry["transaction"], entry["usage_id"]) == (None, None)
    response = platform.send("GET", f"accounts/{account.pk}/entries/?kind=x")
    assert_error(response, 400, "invalid_request")
    response = platform.send("GET", f"accounts/{account.pk}/transactions/?status=x")
    assert_error(response, 400, "invalid_request")


def test_a_payment_is_told_net_with_its_tax(platform: Platform, settings: LazySettings) -> None:
    settings.CHARGE_TAX = True
    account = make_account(country="OM")
    charging.open_transaction(
        account=account,
        purpose=Purpose.TOP_UP,
        lines=[NewLine("Credit top-up", Decimal(25))],
        status=Status.CHECKOUT,
        now=NOW,
    )
    [payment] = platform.get(f"accounts/{account.pk}/transactions/")["results"]
    assert (payment["net_amount"], payment["tax_rate"], payment["tax_amount"]) == (
        "25.00",
        "5.00",
        "1.25",
    )
    assert (payment["amount"], payment["charged_amount"]) == ("26.25", "10.110")


def test_the_catalogue_is_as_the_design_says(platform: Platform) -> None:
    provision(platform)
    plans = {plan["slug"]: plan for plan in platform.get("plans/")["results"]}
    assert list(plans) == ["payg", "starter", "growth", "enterprise"]
    growth = plans["growth"]
    assert (growth["monthly_price"], growth["minimum_top_up"]) == ("99.00", "25.00")
    minutes = next(each for each in growth["features"] if each["feature"] == "call_minutes")
    assert (minutes["included"], minutes["unit_price"]) == ("500.000000", "0.10000000")
    assert minutes["tiers"] == [
        {"above_quantity": "5000.000000", "discount_percent": "10.00"},
        {"above_quantity": "20000.000000", "discount_percent": "20.00"},
    ]
    assert len(platform.get("features/")["results"]) == 11


def test_a_rental_is_held_as_the_plan_allows(platform: Platform) -> None:
    provision(platform)
    path = "accounts/external:c-1/rentals"
    # Nothing is included in payg, and there is no card to charge.
    body = assert_error(
        platform.send("PUT", f"{path}/user_seat/", {"quantity": 2}), 400, "invalid_request"
    )
    assert "payment method" in json.dumps(body)
    held = platform.send("PUT", f"{path}/user_seat/", {"quantity": 0}).json()
    assert (held["feature"], held["quantity"], held["transaction"]) == ("user_seat", 0, None)
    for quantity in (-1, "x", None, 1.5, 10**9):
        response = platform.send("PUT", f"{path}/user_seat/", {"quantity": quantity})
        assert_error(response, 400, "invalid_request")
    for feature in ("call_minutes", "nonsense", "%00"):
        response = platform.send("PUT", f"{path}/{feature}/", {"quantity": 1})
        assert_error(response, 404, "unknown_feature")


# Schema, commands, a real connection ----------------------------------------------------------
def test_the_schema_has_every_call_and_no_warning(client: Client) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())
    schema = client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert set(json.loads(schema.content)["paths"]) == {
        f"/api/v1/{path}"
        for path in [
            "usage/", "accounts/", "accounts/{id}/", "accounts/{id}/authorization/",
            "accounts/{id}/entries/", "accounts/{id}/transactions/", "accounts/{id}/usage/",
            "accounts/{id}/allowances/", "accounts/{id}/rentals/",
            "accounts/{id}/rentals/{feature}/", "plans/", "features/",
        ]
    }  # fmt: skip


def test_the_docs_can_be_browsed_without_a_key(client: Client) -> None:
    response = client.get("/api/docs/")
    assert response.status_code == 200
    assert b"swagger" in response.content


def test_a_key_is_printed_once_and_works(client: Client) -> None:
    out = StringIO()
    call_command("create_api_key", "--name", "Platform", stdout=out, stderr=StringIO())
    token = out.getvalue().strip()
    response = client.get("/api/v1/features/", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200
    with pytest.raises(CommandError):
        call_command("create_api_key", "--name", " ", stdout=out, stderr=StringIO())


@pytest.mark.parametrize("role", ["support", "finance", "auditor", "administrator"])
def test_staff_may_sign_in_with_the_printed_password(role: str) -> None:
    out = StringIO()
    arguments = ["create_staff", "--email", "ada@demo.test", "--role", role]
    call_command(*arguments, stdout=out, stderr=StringIO())
    user = User.objects.get(email="ada@demo.test")
    assert user.is_staff
    assert [group.name for group in user.groups.all()] == [role.capitalize()]
    assert user.check_password(out.getvalue().strip())
    with pytest.raises(CommandError):
        call_command(*arguments, stdout=out, stderr=StringIO())


@pytest.mark.django_db(transaction=True)
def test_usage_is_reported_over_a_real_connection(live_server: LiveServer) -> None:
    platform = Platform()
    now = timezone.now()
    account = make_account()
    make_wallet(account, balance="5")
    make_subscription(account, make_version(), anchor=now - timedelta(days=1))
    record = {
        "id": "call-1",
        "account": str(account.pk),
        "feature": "call_minutes",
        "quantity": 512,
        "occurred_at": now.isoformat(),
    }
    request = urllib.request.Request(
        f"{live_server.url}/api/v1/usage/",
        json.dumps({"records": [record]}).encode(),
        {"Authorization": f"Bearer {platform.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        assert json.load(response)["results"][0]["amount"] == "1.200000"
    assert str(Wallet.objects.get(account=account).balance) == "3.800000"
    request.add_header("Authorization", "Bearer wrong")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 401
    assert caught.value.headers["WWW-Authenticate"] == "Bearer"
    caught.value.close()
