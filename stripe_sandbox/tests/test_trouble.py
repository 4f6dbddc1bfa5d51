"""Trouble that is planned (`/_sandbox/next`), and payments that nobody asked for."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
import stripe

from .harness import Receiver, Sandbox, wait_for
from .test_checkout import basket
from .test_payments import CHARGE

PAYMENT = {**CHARGE, "payment_method": "pm_card_visa"}


def test_the_event_may_come_before_the_answer(
    sandbox: Sandbox, client: Any, receiver: Receiver
) -> None:
    client.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["payment_intent.succeeded"]}
    )
    sandbox.control("next", {"action": "delay_answer", "seconds": 1})
    began = time.monotonic()
    arrived: list[float] = []
    receiver.during = lambda: arrived.append(time.monotonic())
    client.payment_intents.create(PAYMENT)
    answered = time.monotonic()
    assert answered - began >= 1
    wait_for(lambda: arrived)
    assert arrived[0] < answered


@pytest.mark.parametrize(("given", "captured"), [(1000, 1000), (5000, 5000)])
def test_a_bank_may_capture_another_amount(
    sandbox: Sandbox, client: Any, given: int, captured: int
) -> None:
    sandbox.control("next", {"action": "capture", "amount": given})
    paid = client.payment_intents.create(PAYMENT)
    assert (paid.amount, paid.amount_received) == (3850, captured)
    charge = client.charges.retrieve(paid.latest_charge, {"expand": ["balance_transaction"]})
    assert (charge.amount_captured, charge.balance_transaction.amount) == (captured, captured)
    assert client.refunds.create({"payment_intent": paid.id}).amount == captured
    assert client.payment_intents.create(PAYMENT).amount_received == 3850


def test_a_hold_cannot_be_voided_for_a_while(sandbox: Sandbox, client: Any) -> None:
    sandbox.control(
        "next",
        {
            "action": "status",
            "status": 500,
            "count": 2,
            "match": {"path": "/v1/payment_intents/*/cancel"},
        },
    )
    held = client.payment_intents.create({**PAYMENT, "amount": 390, "capture_method": "manual"})
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            client.payment_intents.cancel(held.id)
    assert client.payment_intents.cancel(held.id).status == "canceled"


def test_reading_may_fail_too(sandbox: Sandbox, client: Any) -> None:
    paid = client.payment_intents.create(PAYMENT)
    match = {"path": "/v1/payment_intents/", "method": "GET"}
    sandbox.control("next", {"action": "status", "status": 503, "match": match})
    sandbox.control("next", {"action": "drop_connection", "match": match})
    with pytest.raises(stripe.APIError):
        client.payment_intents.retrieve(paid.id)
    with pytest.raises(requests.ConnectionError):
        sandbox.call("GET", f"/v1/payment_intents/{paid.id}")
    assert client.payment_intents.retrieve(paid.id).status == "succeeded"


@pytest.mark.parametrize(
    "plan",
    [
        {"action": "explode"},
        {"action": "capture"},
        {"action": "status", "status": 200},
        {"action": "delay", "seconds": -1},
        {"action": "decline", "match": {"method": "POUR"}},
        {"action": "decline", "match": {"url": "/v1"}},
        {"action": "decline", "times": 2},
    ],
)
def test_a_plan_with_a_mistake_is_refused(sandbox: Sandbox, plan: dict[str, Any]) -> None:
    assert sandbox.control("next", plan)["error"]["type"] == "invalid_request_error"
    assert sandbox.control("next", method="GET") == {"data": []}


def test_a_bank_may_take_the_money_although_the_page_has_expired(
    sandbox: Sandbox, client: Any
) -> None:
    metadata = {"transaction": "T-1"}
    session = client.checkout.sessions.create(basket(payment_intent_data={"metadata": metadata}))
    late = {"although_expired": True}
    assert "not expired" in sandbox.control(f"checkout/{session.id}/pay", late)["error"]["message"]
    client.checkout.sessions.expire(session.id)
    sandbox.control(f"checkout/{session.id}/pay", late)
    seen = client.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (seen.status, seen.payment_intent.status) == ("expired", "succeeded")
    [event] = client.events.list({"type": "charge.succeeded"}).data
    assert event.data.object.metadata.to_dict() == metadata
    assert client.events.list({"type": "checkout.session.completed"}).data == []


def test_a_page_left_in_the_middle_of_a_challenge_may_be_paid_late(
    sandbox: Sandbox, client: Any
) -> None:
    session = client.checkout.sessions.create(basket())
    declined = {"payment_method": "pm_card_chargeDeclined"}
    assert "error" in sandbox.control(f"checkout/{session.id}/pay", declined)
    client.checkout.sessions.expire(session.id)
    [intent] = client.payment_intents.list().data
    assert intent.status == "canceled"
    sandbox.control(f"checkout/{session.id}/pay", {"although_expired": True})
    assert client.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_payment_made_in_the_dashboard_names_no_transaction(
    sandbox: Sandbox, client: Any, customer: Any
) -> None:
    made = sandbox.control("payments", {"customer": customer.id, "amount": 3850})
    paid = client.payment_intents.retrieve(made["id"])
    assert (paid.status, paid.amount_received, paid.customer) == ("succeeded", 3850, customer.id)
    assert paid.metadata.to_dict() == {}


def test_held_events_may_be_sent_several_times(
    sandbox: Sandbox, client: Any, receiver: Receiver
) -> None:
    client.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    sandbox.control("webhooks", {"held": True})
    made = client.customers.create({})
    client.customers.delete(made.id)
    sandbox.control("webhooks", {"held": False, "order": "reverse", "copies": 3})
    wait_for(lambda: len(receiver.received) == 6)
    assert sorted(set(receiver.types)) == ["customer.created", "customer.deleted"]
