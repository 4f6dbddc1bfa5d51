"""POST /usage/, authorization and reading usage, as the platform does it."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import service_state
from accounts.models import Account, PauseReason
from accounts.tests.factories import make_account
from plans.models import FeatureKind, Rental, UsageRecord
from plans.tests.api_client import Platform
from plans.tests.factories import (
    make_feature,
    make_subscription,
    make_version,
    make_wallet,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def account() -> Account:
    """An account that subscribed a day ago, with $5 and 500 minutes."""
    account = make_account(external_id="customer-42")
    make_wallet(account, balance="5")
    make_subscription(account, make_version(), anchor=timezone.now() - timedelta(days=1))
    return account


def a_record(**fields: Any) -> dict[str, Any]:
    """Return a record of customer-42 as it is sent."""
    return {
        "id": "call-1",
        "account": "external:customer-42",
        "feature": "call_minutes",
        "quantity": "12",
        "occurred_at": timezone.now().isoformat(),
        **fields,
    }


def test_usage_is_answered_in_the_order_sent(platform: Platform, account: Account) -> None:
    good = a_record(quantity=499)
    answer = platform.report(
        good, a_record(id="call-2", quantity="1e400"), a_record(id="call-3", quantity=12.5), good
    )
    assert (answer["recorded"], answer["duplicates"], answer["rejected"]) == (2, 1, 1)
    first, bad, third, again = answer["results"]
    assert first == {
        "id": "call-1",
        "status": "recorded",
        "included_quantity": "499.000000",
        "billed_quantity": "0.000000",
        "amount": "0.000000",
    }
    assert (bad["id"], bad["status"], bad["code"], bad["index"]) == (
        "call-2", "rejected", "invalid_quantity", 1,
    )  # fmt: skip
    assert bad["detail"]
    assert (third["included_quantity"], third["billed_quantity"]) == ("1.000000", "11.500000")
    assert third["amount"] == "1.150000"
    assert again == {**first, "status": "duplicate"}


def test_without_results_only_the_rejected_are_listed(platform: Platform, account: Account) -> None:
    answer = platform.report(a_record(), a_record(id="x", feature="y"), query="?results=none")
    assert (answer["recorded"], answer["rejected"]) == (1, 1)
    [rejected] = answer["results"]
    assert (rejected["id"], rejected["code"], rejected["index"]) == ("x", "unknown_feature", 1)


def test_an_unknown_way_of_answering_is_refused(platform: Platform) -> None:
    response = platform.send("POST", "usage/?results=some", {"records": [a_record()]})
    assert response.status_code == 400
    assert "results" in response.json()["fields"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"account": "external:nobody"}, "unknown_account"),
        ({"account": "0"}, "unknown_account"),
        ({"feature": "nonsense"}, "unknown_feature"),
        ({"feature": "llm_tokens"}, "not_in_plan"),
        ({"quantity": "NaN"}, "invalid_quantity"),
        ({"quantity": "-1"}, "invalid_quantity"),
        ({"quantity": "\uff11\uff12"}, "invalid_quantity"),
        ({"quantity": "1_000"}, "invalid_quantity"),
        ({"quantity": True}, "invalid_quantity"),
        ({"occurred_at": "2020-01-01T00:00:00Z"}, "too_old"),
        ({"occurred_at": "2120-01-01T00:00:00Z"}, "in_future"),
        ({"occurred_at": "2026-11-23"}, "invalid_record"),
        ({"id": None}, "invalid_record"),
        ({"id": "\ud800"}, "invalid_record"),
        ({"workspace": "a\0b"}, "invalid_record"),
        ({"description": "x" * 301}, "invalid_record"),
    ],
)
def test_bad_records_have_their_code_and_change_nothing(
    platform: Platform, account: Account, fields: dict[str, Any], code: str
) -> None:
    make_feature("llm_tokens")
    answer = platform.report(a_record(**fields))
    assert answer["rejected"] == 1
    assert answer["results"][0]["code"] == code
    assert answer["results"][0]["detail"]
    assert not UsageRecord.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"nonsense", 400, "invalid_json"),
        (b"\xff", 400, "invalid_json"),
        (b"[" * 5000, 400, "invalid_json"),
        (b"[]", 400, "invalid_request"),
        (b'{"records": []}', 400, "invalid_request"),
        (b'{"records": 1}', 400, "invalid_request"),
        (b'{"records": [' + b"1," * 10_000 + b"1]}", 413, "batch_too_large"),
    ],
)
def test_what_is_no_batch_has_its_status_and_code(
    platform: Platform, body: bytes, status: int, code: str
) -> None:
    response = platform.send("POST", "usage/", body)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert set(response.json()) == {"code", "detail", "fields"}


def test_a_body_over_the_limit_is_too_large(platform: Platform, settings: LazySettings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    response = platform.send("POST", "usage/", b" " * 101)
    assert (response.status_code, response.json()["code"]) == (413, "batch_too_large")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_not_supported(platform: Platform, content_type: str) -> None:
    response = platform.send("POST", "usage/", {"records": []}, content_type=content_type)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_a_charset_beside_the_content_type_does_no_harm(
    platform: Platform, account: Account
) -> None:
    response = platform.send(
        "POST", "usage/", {"records": [a_record()]}, content_type="application/json; charset=utf-8"
    )
    assert response.status_code == 200


def test_usage_is_read_back_with_what_explains_it(platform: Platform, account: Account) -> None:
    platform.report(a_record(quantity="512", workspace="clinic"))
    [record] = platform.get("accounts/external:customer-42/usage/?workspace=clinic")["results"]
    assert record["id"] == "call-1"
    assert record["amount"] == "1.200000"
    assert record["included_before"] == "500.000000"
    assert (record["balance_before"], record["balance_after"]) == ("5.000000", "3.800000")
    assert record["unit_price"] == "0.10000000"
    assert platform.get("accounts/external:customer-42/usage/?feature=llm")["results"] == []
    [allowance] = platform.get("accounts/external:customer-42/allowances/")["results"]
    assert (allowance["used"], allowance["remaining"]) == ("500.000000", "0.000000")
    assert allowance["billed_quantity"] == "12.000000"


def test_pages_follow_each_other_without_gaps(platform: Platform, account: Account) -> None:
    platform.report(*(a_record(id=f"call-{number}") for number in range(7)))
    seen: list[str] = []
    path = f"accounts/{account.pk}/usage/?page_size=3"
    while path:
        page = platform.get(path)
        assert set(page) == {"next", "previous", "results"}
        seen += [record["id"] for record in page["results"]]
        path = (page["next"] or "").partition("/api/v1/")[2]
    assert sorted(seen) == [f"call-{number}" for number in range(7)]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "cD1ub3RhZGF0ZQ==",
        "cD0lMDA=",
        "cj0xJnA9OTk5OQ==",
        "cD0yOTk5LTAxLTAxVDAwOjAwOjAwJTJCMjM6NTk6NTk=",  # an offset PostgreSQL does not read
    ],
)
@pytest.mark.parametrize("resource", ["usage", "entries", "transactions", "allowances"])
def test_a_cursor_that_is_not_ours_is_not_found(
    platform: Platform, account: Account, resource: str, cursor: str
) -> None:
    response = platform.send("GET", f"accounts/{account.pk}/{resource}/?cursor={cursor}")
    assert response.status_code in (200, 404)
    if response.status_code == 404:
        assert response.json()["code"] == "not_found"


# Authorization --------------------------------------------------------------------------------
def test_a_call_may_start(platform: Platform, account: Account) -> None:
    answer = platform.get("accounts/external:customer-42/authorization/?feature=call_minutes")
    assert answer == {
        "allowed": True,
        "services": "active",
        "reasons": [],
        "balance": "5.000000",
        "included_remaining": "500.000000",
    }


def test_after_the_balance_fell_below_zero_no_call_may_start(
    platform: Platform, account: Account
) -> None:
    platform.report(a_record(quantity="551"))
    answer = platform.get(f"accounts/{account.pk}/authorization/")
    assert (answer["allowed"], answer["services"]) == (False, "paused")
    assert answer["reasons"] == ["negative_balance"]
    assert answer["balance"] == "-0.100000"


def test_a_locked_account_may_not_start_a_call(platform: Platform, account: Account) -> None:
    service_state.pause(
        account_ids=[account.pk], reason=PauseReason.LOCKED, now=timezone.now(), note="Fraud"
    )
    assert platform.get(f"accounts/{account.pk}/authorization/")["reasons"] == ["locked"]


def test_without_a_subscription_or_the_feature_no_call_may_start(
    platform: Platform, account: Account
) -> None:
    make_feature("llm_tokens")
    other = make_account()
    make_wallet(other, balance="10")
    answer = platform.get(f"accounts/{other.pk}/authorization/?feature=call_minutes")
    assert (answer["allowed"], answer["reasons"]) == (False, ["no_subscription"])
    answer = platform.get(f"accounts/{account.pk}/authorization/?feature=llm_tokens")
    assert (answer["allowed"], answer["reasons"]) == (False, ["not_in_plan"])


def test_a_rental_has_a_limit(platform: Platform) -> None:
    feature = make_feature("call_concurrency", kind=FeatureKind.RENTAL)
    account = make_account()
    make_wallet(account)
    version = make_version(features={"call_concurrency": ("2", "5")})
    make_subscription(account, version, anchor=timezone.now())
    path = f"accounts/{account.pk}/authorization/?feature=call_concurrency"
    assert platform.get(path)["limit"] == 2
    Rental.objects.create(account=account, feature=feature, quantity=7, started_at=timezone.now())
    assert platform.get(path)["limit"] == 7


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("accounts/nobody/authorization/", "unknown_account"),
        ("accounts/external:nobody/authorization/", "unknown_account"),
        ("accounts/external:%00/authorization/", "unknown_account"),
        ("accounts/external:customer-42/authorization/?feature=nonsense", "unknown_feature"),
    ],
)
def test_authorization_of_what_is_unknown_is_not_found(
    platform: Platform, account: Account, path: str, code: str
) -> None:
    response = platform.send("GET", path)
    assert (response.status_code, response.json()["code"]) == (404, code)


def test_authorization_takes_two_queries(platform: Platform, account: Account) -> None:
    path = f"accounts/{account.pk}/authorization/?feature=call_minutes"
    platform.get(path)  # notes the key's use, once a minute
    with CaptureQueriesContext(connection) as captured:
        platform.get(path)
    assert len(captured) == 2  # the key, and the answer


def test_a_report_of_many_records_takes_as_many_queries_as_of_one(
    platform: Platform, account: Account
) -> None:
    platform.report(a_record(quantity="600"))
    counts = []
    for size in (1, 200):
        records = [a_record(id=f"{size}-{number}") for number in range(size)]
        with CaptureQueriesContext(connection) as captured:
            platform.report(*records)
        counts.append(len(captured))
    assert counts[0] == counts[1]
