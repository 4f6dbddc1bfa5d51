"""What lists may be asked: filters, pages, and nothing that is not there."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import PauseReason
from accounts.tests.factories import NOW, make_account
from invoices import charging
from invoices.charging import NewLine
from invoices.models import Purpose, Status
from plans.tests.api_client import Platform
from plans.tests.factories import make_subscription, make_version
from wallet.tests.factories import make_wallet, move

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform() -> Platform:
    return Platform()


def refused(platform: Platform, path: str) -> dict[str, Any]:
    """Ask for what can't be asked for; return what is said of each parameter."""
    response = platform.send("GET", path)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    fields: dict[str, Any] = response.json()["fields"]
    return fields


@pytest.mark.parametrize("path", ["usage/?workspace=%00", "authorization/?feature=%00"])
def test_nothing_is_called_nul(platform: Platform, path: str) -> None:
    make_account(external_id="c-1")
    [name] = refused(platform, f"accounts/external:c-1/{path}")
    assert name in path


def test_a_misspelt_filter_is_refused_rather_than_ignored(platform: Platform) -> None:
    fields = refused(platform, "accounts/?externalid=customer-42")
    assert "external_id" in fields["externalid"][0]
    assert set(refused(platform, "features/?x=1")) == {"x"}
    response = platform.send("POST", "accounts/?dry_run=1", {})
    assert set(response.json()["fields"]) == {"dry_run"}


@pytest.mark.parametrize(
    "query",
    [
        "kind=usage&kind=refund", "kind=", "kind=gift", "kind=%00", "page_size=0", "page_size=201",
        "page_size=1_0", "page_size=x", "since=2026-11-23", "since=2026-11-23T09:30:00",
        "since=2026-11-23T09:30:00+04:00", "until=tomorrow", "cursor=%00",
        "since=0001-01-01T00:00:00%2B04:00",
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(platform: Platform, query: str) -> None:
    account = make_account()
    name = query.partition("=")[0]
    assert set(refused(platform, f"accounts/{account.pk}/entries/?{query}")) == {name}


def test_accounts_are_found_by_what_a_platform_knows_of_them(platform: Platform) -> None:
    version = make_version()
    alice = make_account(external_id="c-1", owner_email="Alice@muscat.test")
    paused = make_account(external_id="c-2", pause_reasons=[PauseReason.LOCKED])
    make_subscription(paused, version)
    slug = version.plan.slug

    def found(query: str) -> list[str]:
        return [each["external_id"] for each in platform.get(f"accounts/?{query}")["results"]]

    assert found("external_id=c-1") == ["c-1"]
    assert found("email=alice@MUSCAT.test") == [alice.external_id]
    assert found("services=active") == ["c-1"]
    assert found("services=paused") == ["c-2"]
    assert found(f"plan={slug}") == ["c-2"]
    assert found(f"plan={slug}&services=active") == []
    assert found("email=nobody@muscat.test") == []


def test_the_ledger_is_read_by_kind_and_time(platform: Platform) -> None:
    account = make_account()
    make_wallet(account, "5")
    move(account, "1", NOW + timedelta(hours=1))

    def found(query: str) -> list[int]:
        answer = platform.get(f"accounts/{account.pk}/entries/?{query}")
        return [entry["sequence"] for entry in answer["results"]]

    assert found("") == [2, 1]
    assert found("since=2026-11-23T10:30:00Z") == [2]
    assert found("until=2026-11-23T10:30:00Z") == [1]
    assert found("since=2026-11-23T13:30:00%2B04:00&until=2026-11-24T00:00:00z") == [2, 1]
    assert found("since=2026-11-23T09:30:00Z&until=2026-11-23T10:00:00Z&kind=refund") == [1]
    assert found("since=2026-11-24T09:31:00%2B23:01") == [2]  # PostgreSQL reads no such offset
    assert found("kind=usage") == []
    assert found("since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z") == [2, 1]


def test_an_entry_that_came_a_moment_out_of_order_is_found_by_its_time(platform: Platform) -> None:
    account = make_account()
    make_wallet(account, "5")
    for minutes, seconds in ((60, 1), (60, 0), (120, 0)):
        move(account, "1", NOW + timedelta(minutes=minutes, seconds=seconds))
    entries = f"accounts/{account.pk}/entries/?"

    later = platform.get(entries + "since=2026-11-23T10:30:01Z")["results"]
    earlier = platform.get(entries + "until=2026-11-23T10:30:01Z")["results"]

    assert [entry["sequence"] for entry in later] == [4, 2]
    assert [entry["sequence"] for entry in earlier] == [3, 1]


def test_payments_are_read_by_purpose_status_and_time(platform: Platform) -> None:
    account = make_account()
    for hours, purpose in enumerate([Purpose.TOP_UP, Purpose.RENEWAL]):
        charging.open_transaction(
            account=account,
            purpose=purpose,
            lines=[NewLine("Credit top-up", Decimal(25))],
            status=Status.CHECKOUT,
            now=NOW + timedelta(hours=hours),
        )

    def found(query: str) -> list[str]:
        answer = platform.get(f"accounts/{account.pk}/transactions/?{query}")
        return [payment["purpose"] for payment in answer["results"]]

    assert found("") == ["renewal", "top_up"]
    assert found("purpose=top_up") == ["top_up"]
    assert found("status=checkout&purpose=renewal") == ["renewal"]
    assert found("status=paid") == []
    assert found("since=2026-11-23T10:30:00Z") == ["renewal"]
    assert found("until=2026-11-23T14:30:00%2B04:00") == ["top_up"]


def test_pages_are_followed_to_the_end(platform: Platform) -> None:
    made = [make_account(created_at=NOW + timedelta(minutes=n // 2)).external_id for n in range(7)]
    path, seen = "accounts/?page_size=3&services=active", []
    while path:
        answer = platform.get(path)
        seen += [account["external_id"] for account in answer["results"]]
        path = (answer["next"] or "").partition("/api/v1/")[2]
    assert len(seen) == 7
    assert set(seen) == set(made)
    assert seen[0] == made[-1]  # newest first


# ETags ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["plans/", "features/", "accounts/external:c-1/"])
def test_what_is_as_it_was_is_not_sent_again(platform: Platform, path: str) -> None:
    make_subscription(make_account(external_id="c-1"), make_version())
    first = platform.send("GET", path)
    again = platform.send("GET", path, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (again["ETag"], again["Cache-Control"]) == (first["ETag"], "private, no-cache")
    assert again.has_header("RateLimit")


def test_what_was_changed_is_sent_again(platform: Platform) -> None:
    make_account(external_id="c-1")
    before = platform.send("GET", "accounts/external:c-1/")["ETag"]
    platform.send("PATCH", "accounts/external:c-1/", {"name": "Another"})
    after = platform.send("GET", "accounts/external:c-1/", headers={"If-None-Match": before})
    assert (after.status_code, after.json()["name"]) == (200, "Another")
    assert after["ETag"] != before


def test_whether_a_call_may_start_is_never_an_old_answer(platform: Platform) -> None:
    make_subscription(make_account(external_id="c-1"), make_version())
    assert not platform.send("GET", "accounts/external:c-1/authorization/").has_header("ETag")
