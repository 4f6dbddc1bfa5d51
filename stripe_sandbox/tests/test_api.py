"""The protocol: keys, parameters, idempotency, lists, expansion, planned trouble."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests
import stripe

from .harness import PUBLISHABLE, Sandbox

PAYMENT = {
    "amount": 3850,
    "currency": "omr",
    "payment_method": "pm_card_visa",
    "confirm": True,
    "off_session": True,
}
FORM = "amount=3850&currency=omr&payment_method=pm_card_visa&confirm=true&off_session=true"


def payments(sandbox: Sandbox) -> int:
    return len(sandbox.client.payment_intents.list({"limit": 100}).data)


@pytest.mark.parametrize("key", ["", "sk_live_" + "a" * 24, "nonsense", "sk_test_", PUBLISHABLE])
def test_only_a_secret_test_key_may_call(sandbox: Sandbox, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer = requests.get(f"{sandbox.url}/v1/customers", headers=headers, timeout=5)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_basic_auth_works_and_each_answer_has_a_request_id(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.url}/v1/account", auth=("sk_test_" + "b" * 24, ""), timeout=5)
    assert answer.json()["object"] == "account"
    assert answer.headers["Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        ("foo=1", "Received unknown parameter: foo", "foo"),
        ("address[planet]=x", "Received unknown parameter: address[planet]", "address[planet]"),
    ],
)
def test_unknown_parameters_are_refused(
    sandbox: Sandbox, body: str, message: str, param: str
) -> None:
    answer = sandbox.call("POST", "/v1/customers", body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["message"], error["param"]) == (message, param)
    assert error["code"] == "parameter_unknown"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("currency=omr", "parameter_missing"),
        ("amount=38.5&currency=omr", "parameter_invalid_integer"),
        ("amount=3851&currency=omr", "parameter_invalid_integer"),
        ("amount=10&currency=omr", "amount_too_small"),
        ("amount=0&currency=usd", "parameter_invalid_integer"),
    ],
)
def test_amounts_stripe_refuses_are_refused(sandbox: Sandbox, body: str, code: str) -> None:
    answer = sandbox.call("POST", "/v1/payment_intents", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_a_browser_that_asks_for_an_icon_finds_no_error(sandbox: Sandbox) -> None:
    assert requests.get(f"{sandbox.url}/favicon.ico", timeout=10).status_code == 204


def test_an_unknown_address_is_a_404(sandbox: Sandbox) -> None:
    answer = sandbox.call("GET", "/v1/subscriptions")
    assert answer.status_code == 404
    assert "Unrecognized request URL" in answer.json()["error"]["message"]


def test_the_same_key_and_body_answers_again_without_acting(sandbox: Sandbox) -> None:
    first = sandbox.call("POST", "/v1/payment_intents", FORM, Idempotency_Key="k1")
    again = sandbox.call("POST", "/v1/payment_intents", FORM, Idempotency_Key="k1")
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert payments(sandbox) == 1


def test_a_decline_is_replayed_too(sandbox: Sandbox) -> None:
    body = FORM.replace("pm_card_visa", "pm_card_chargeDeclined")
    first = sandbox.call("POST", "/v1/payment_intents", body, Idempotency_Key="k1")
    again = sandbox.call("POST", "/v1/payment_intents", body, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (402, 402)
    assert first.json() == again.json()
    assert payments(sandbox) == 1


def test_the_same_key_with_another_body_is_an_error(sandbox: Sandbox, client: Any) -> None:
    client.payment_intents.create(PAYMENT, {"idempotency_key": "k1"})
    with pytest.raises(stripe.IdempotencyError):
        client.payment_intents.create({**PAYMENT, "amount": 3860}, {"idempotency_key": "k1"})
    assert payments(sandbox) == 1


def test_parameters_that_fail_validation_leave_the_key_free(sandbox: Sandbox) -> None:
    path = "/v1/payment_intents"
    for wrong in (FORM + "&x=1", FORM.replace("3850", "3851"), FORM + "&expand[]=flavour"):
        assert sandbox.call("POST", path, wrong, Idempotency_Key="k1").status_code == 400
    assert payments(sandbox) == 0
    assert sandbox.call("POST", path, FORM, Idempotency_Key="k1").status_code == 200


def test_a_key_is_forgotten_after_a_day(sandbox: Sandbox, client: Any) -> None:
    sandbox.control("clock", {"now": "2026-01-01T00:00:00Z"})
    first = client.payment_intents.create(PAYMENT, {"idempotency_key": "k1"})
    sandbox.control("clock", {"now": "2026-01-02T00:00:01Z"})
    second = client.payment_intents.create(PAYMENT, {"idempotency_key": "k1"})
    assert first.id != second.id


def test_two_requests_with_one_key_at_once_make_one_charge(sandbox: Sandbox) -> None:
    sandbox.control("next", {"action": "delay", "seconds": 0.6})
    statuses: list[int] = []

    def ask() -> None:
        answer = sandbox.call("POST", "/v1/payment_intents", FORM, Idempotency_Key="k1")
        statuses.append(answer.status_code)

    slow = threading.Thread(target=ask)
    slow.start()
    time.sleep(0.2)
    ask()
    slow.join()
    assert sorted(statuses) == [200, 409]
    assert payments(sandbox) == 1


def test_a_dropped_connection_means_that_the_charge_was_made(sandbox: Sandbox) -> None:
    sandbox.control("next", {"action": "drop_connection", "match": {"path": "/v1/payment_in"}})
    with pytest.raises(requests.ConnectionError):
        sandbox.call("POST", "/v1/payment_intents", FORM, Idempotency_Key="k1")
    again = sandbox.call("POST", "/v1/payment_intents", FORM, Idempotency_Key="k1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert payments(sandbox) == 1


@pytest.mark.parametrize(("status", "kind"), [(500, stripe.APIError), (429, stripe.RateLimitError)])
def test_an_outage_does_nothing_and_the_key_stays_free(
    sandbox: Sandbox, client: Any, status: int, kind: type[Exception]
) -> None:
    sandbox.control("next", {"action": "status", "status": status})
    with pytest.raises(kind):
        client.payment_intents.create(PAYMENT, {"idempotency_key": "k1"})
    assert payments(sandbox) == 0
    assert client.payment_intents.create(PAYMENT, {"idempotency_key": "k1"}).status == "succeeded"


def test_decline_next_spares_requests_without_a_card(sandbox: Sandbox, client: Any) -> None:
    sandbox.control("next", {"action": "decline", "decline_code": "insufficient_funds"})
    client.customers.create({})
    with pytest.raises(stripe.CardError) as caught:
        client.payment_intents.create(PAYMENT)
    error: Any = caught.value.error
    assert error.decline_code == "insufficient_funds"
    assert client.payment_intents.create(PAYMENT).status == "succeeded"
    assert sandbox.control("next", method="GET") == {"data": []}


def test_lists_page_both_ways_and_filter_by_created(sandbox: Sandbox, client: Any) -> None:
    made = []
    for day in range(1, 6):
        sandbox.control("clock", {"now": f"2026-01-0{day}T00:00:00Z"})
        made.append(client.customers.create({"name": str(day)}))
    newest = client.customers.list({"limit": 2})
    assert ([c.name for c in newest.data], newest.has_more) == (["5", "4"], True)
    rest = client.customers.list({"limit": 3, "starting_after": newest.data[-1].id})
    assert ([c.name for c in rest.data], rest.has_more) == (["3", "2", "1"], False)
    back = client.customers.list({"limit": 2, "ending_before": rest.data[-1].id})
    assert ([c.name for c in back.data], back.has_more) == (["3", "2"], True)
    between = client.customers.list({"created": {"gt": made[0].created, "lte": made[2].created}})
    assert [c.name for c in between.data] == ["3", "2"]
    assert [c.name for c in client.customers.list({"limit": 2}).auto_paging_iter()] == list("54321")


def test_expansion_reaches_through_lists_and_refuses_what_is_no_reference(
    sandbox: Sandbox, client: Any, customer: Any
) -> None:
    client.payment_intents.create({**PAYMENT, "customer": customer.id})
    found = client.payment_intents.list(
        {"expand": ["data.latest_charge.balance_transaction", "data.customer"]}
    ).data[0]
    assert found.latest_charge.balance_transaction.amount == 3850
    assert found.customer.email == "owner@example.com"
    assert (
        client.customers.retrieve(
            customer.id, {"expand": ["default_source", "sources"]}
        ).sources.data
        == []
    )
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.payment_intents.list({"expand": ["data.flavour"]})


def test_metadata_is_merged_deleted_and_cleared(client: Any) -> None:
    made = client.customers.create({"metadata": {"a": "1", "b": "2"}})
    assert client.customers.update(
        made.id, {"metadata": {"a": "", "c": "3"}}
    ).metadata.to_dict() == {"b": "2", "c": "3"}
    assert client.customers.update(made.id, {"metadata": ""}).metadata.to_dict() == {}


def test_a_publishable_key_sees_an_intent_only_with_its_secret(
    sandbox: Sandbox, client: Any, customer: Any
) -> None:
    intent = client.setup_intents.create({"customer": customer.id})
    headers = {"Authorization": f"Bearer {PUBLISHABLE}"}
    address = f"{sandbox.url}/v1/setup_intents/{intent.id}"
    good = requests.get(
        address, params={"client_secret": intent.client_secret}, headers=headers, timeout=5
    )
    assert good.json()["id"] == intent.id
    assert "customer" not in good.json()
    for secret in ({}, {"client_secret": intent.client_secret + "x"}):
        assert requests.get(address, params=secret, headers=headers, timeout=5).status_code == 404
