"""A customer's key reads its own account, by whatever call and name, and nothing else."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from accounts import api_keys
from accounts.models import Account, ApiKey, AuditEvent, User
from accounts.tests.factories import NOW, make_account
from plans.tests import subscribers

pytestmark = pytest.mark.django_db


class Customer:
    """A customer's program, with a key of their account."""

    def __init__(self, account: Account) -> None:
        self.key, token = api_keys.create_for_account(
            account=account, name="Dashboards", now=timezone.now()
        )
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    def send(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body) if body is not None else b""
        return self.client.generic(method, path, data, content_type="application/json")


@pytest.fixture
def own() -> Account:
    return subscribers.provision()


@pytest.fixture
def other() -> Account:
    return subscribers.provision()


def operations(client: Client) -> list[tuple[str, str]]:
    """Every call there is, as the schema has it: what is added later is walked as well."""
    answer = client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    return [
        (method.upper(), path)
        for path, calls in json.loads(answer.content)["paths"].items()
        for method in calls
        if method != "parameters"
    ]


def test_no_call_reaches_another_account(own: Account, other: Account, client: Client) -> None:
    customer = Customer(own)
    walked = operations(client)
    assert len(walked) > 12
    for method, template in walked:
        for name in (str(other.pk), str(other.pk).upper(), f"external:{other.external_id}"):
            path = template.replace("{id}", name).replace("{feature}", "user_seat")
            query = "?quantity=1" if template.endswith("{feature}/") and method == "GET" else ""
            response = customer.send(method, path + query, None if method == "GET" else {})
            told = response.content.decode()
            assert other.name not in told, (method, path)
            assert str(other.pk) not in told, (method, path)
            if method != "GET":
                assert response.status_code == 403, (method, path)
            elif "{id}" in template:
                assert response.status_code == 404, (method, path)


def test_every_call_that_reads_answers_for_its_own_account(own: Account, client: Client) -> None:
    customer = Customer(own)
    for method, template in operations(client):
        for name in (str(own.pk), f"external:{own.external_id}"):
            path = template.replace("{id}", name)
            if method == "GET" and "{feature}" not in path:
                assert customer.send("GET", path).status_code == 200, path
                assert customer.send("HEAD", path).status_code == 200, path


def test_nothing_can_be_written_to_its_own_account_either(own: Account, client: Client) -> None:
    customer = Customer(own)
    for method, template in operations(client):
        if method != "GET":
            path = template.replace("{id}", str(own.pk)).replace("{feature}", "user_seat")
            assert customer.send(method, path, {"name": "Another"}).status_code == 403
    own.refresh_from_db()
    assert own.name != "Another"


@pytest.mark.parametrize(
    "query", ["", "?email={email}", "?external_id={external_id}", "?plan=payg"]
)
def test_the_list_of_accounts_has_its_own_and_no_filter_finds_others(
    own: Account, other: Account, query: str
) -> None:
    asked = query.format(email=other.owner_email, external_id=other.external_id)
    listed = Customer(own).send("GET", f"/api/v1/accounts/{asked}").json()["results"]
    of_others = "email" in query or "external_id" in query
    assert [each["id"] for each in listed] == ([] if of_others else [str(own.pk)])


def test_plans_that_are_not_public_are_seen_by_those_who_are_on_them(own: Account) -> None:
    def seen() -> set[str]:
        listed = Customer(own).send("GET", "/api/v1/plans/").json()["results"]
        return {plan["slug"] for plan in listed}

    assert seen() == {"payg", "starter", "growth"}
    subscription = own.subscriptions.get()
    subscription.plan_version = subscribers.version_of("enterprise")
    subscription.save()
    assert seen() == {"payg", "starter", "growth", "enterprise"}


def test_an_account_renamed_to_the_name_of_another_is_still_the_own_one(
    own: Account, other: Account
) -> None:
    """`external:` names are the platform's to give away again: the key follows the account."""
    customer = Customer(own)
    name = own.external_id
    Account.objects.filter(pk=own.pk).update(external_id="customer-moved")
    Account.objects.filter(pk=other.pk).update(external_id=name)
    assert customer.send("GET", f"/api/v1/accounts/external:{name}/").status_code == 404
    assert customer.send("GET", "/api/v1/accounts/external:customer-moved/").status_code == 200


def test_it_asks_less_often_than_the_platform(own: Account) -> None:
    customer = Customer(own)
    policy = customer.send("GET", "/api/v1/features/")["RateLimit-Policy"]
    assert policy == f'"default";q={api_keys.CUSTOMER_REQUESTS_PER_MINUTE};w=60'


def test_it_is_worthless_once_revoked_and_the_account_s_record_says_who_did_it(
    own: Account,
) -> None:
    layla = User.objects.create_user("layla@muscat.test")
    customer = Customer(own)
    api_keys.revoke(key=customer.key, by=layla, now=NOW)
    assert customer.send("GET", "/api/v1/accounts/").status_code == 401
    events = AuditEvent.objects.filter(account=own, action__startswith="api_key").order_by("pk")
    assert [(event.action, event.actor) for event in events] == [
        ("api_key_created", None),
        ("api_key_revoked", layla),
    ]


# What the database keeps to ----------------------------------------------------------------------
def test_a_customer_s_key_can_t_be_given_more_than_reading() -> None:
    with pytest.raises(IntegrityError, match="a_customers_key_only_reads"):
        api_keys.create(name="Everything", account=make_account(), now=NOW)


@pytest.mark.parametrize("to", ["another account", "the platform"])
def test_a_key_stays_with_its_account(to: str) -> None:
    key, _ = api_keys.create_for_account(account=make_account(), name="Reports", now=NOW)
    moved_to = make_account() if to == "another account" else None
    with pytest.raises(IntegrityError, match="keeps its account"):
        ApiKey.objects.filter(pk=key.pk).update(account=moved_to)


def test_an_account_has_so_many_keys_in_use() -> None:
    account = make_account()
    week = NOW + timedelta(days=7)
    keys = [
        api_keys.create_for_account(account=account, name=f"{n}", expires_at=week, now=NOW)[0]
        for n in range(api_keys.MAXIMUM_OF_ACCOUNT)
    ]
    with pytest.raises(ValidationError, match="10 keys in use"):
        api_keys.create_for_account(account=account, name="One more", now=NOW)
    api_keys.create_for_account(account=make_account(), name="Somebody else's", now=NOW)
    api_keys.revoke(key=keys[0], now=NOW)
    api_keys.create_for_account(account=account, name="In its place", now=NOW)
    api_keys.create_for_account(account=account, name="Those have expired", now=week)
