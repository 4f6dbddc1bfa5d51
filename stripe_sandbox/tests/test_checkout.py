"""Checkout Sessions, without a browser."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
import stripe

from .harness import Sandbox


def basket(**more: Any) -> dict[str, Any]:
    return {
        "mode": "payment",
        "success_url": "https://merchant.test/ok?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://merchant.test/back",
        "line_items": [
            {
                "quantity": 2,
                "price_data": {
                    "currency": "omr",
                    "unit_amount": 3850,
                    "product_data": {"name": "Credit"},
                },
            }
        ],
        **more,
    }


def test_a_session_is_paid_once(sandbox: Sandbox, client: Any, customer: Any) -> None:
    session = client.checkout.sessions.create(
        basket(
            customer=customer.id,
            client_reference_id="T-1",
            metadata={"a": "1"},
            payment_intent_data={
                "metadata": {"transaction": "T-1"},
                "description": "Top-up",
                "setup_future_usage": "off_session",
            },
            expand=["line_items", "total_details.breakdown", "line_items.data.discounts"],
        )
    )
    assert (session.amount_total, session.payment_status) == (7700, "unpaid")
    assert session.line_items.data[0].description == "Credit"
    assert session.line_items.data[0].discounts == []
    assert session.total_details.breakdown.discounts == []
    assert session.url == f"{sandbox.url}/c/pay/{session.id}"
    sandbox.control(f"checkout/{session.id}/pay", {"payment_method": "pm_card_visa"})
    paid = client.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge", "customer"]}
    )
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert paid.payment_intent.metadata.to_dict() == {"transaction": "T-1"}
    assert paid.payment_intent.latest_charge.metadata.to_dict() == {"transaction": "T-1"}
    assert paid.payment_intent.latest_charge.description == "Top-up"
    assert len(client.customers.payment_methods.list(customer.id).data) == 1
    assert sandbox.event_types(session.id) == ["checkout.session.completed"]
    again = sandbox.control(f"checkout/{session.id}/pay", {})
    assert "cannot be paid" in again["error"]["message"]
    assert len(client.charges.list().data) == 1


def test_a_declined_card_leaves_the_session_open(sandbox: Sandbox, client: Any) -> None:
    session = client.checkout.sessions.create(basket())
    refused = sandbox.control(
        f"checkout/{session.id}/pay", {"card": {"number": "4000000000009995"}}
    )
    assert refused["error"]["decline_code"] == "insufficient_funds"
    assert client.checkout.sessions.retrieve(session.id).status == "open"
    paid = sandbox.control(f"checkout/{session.id}/pay", {"card": {"number": "5555555555554444"}})
    assert paid["status"] == "complete"
    assert len(client.payment_intents.list().data) == 1


def test_a_session_with_a_challenge_completes_after_it(sandbox: Sandbox, client: Any) -> None:
    session = client.checkout.sessions.create(basket())
    paid = sandbox.control(
        f"checkout/{session.id}/pay", {"payment_method": "pm_card_authenticationRequired"}
    )
    assert paid["payment_status"] == "paid"


def test_a_session_expires_by_call_and_by_the_clock(sandbox: Sandbox, client: Any) -> None:
    session = client.checkout.sessions.create(basket())
    assert client.checkout.sessions.expire(session.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        client.checkout.sessions.expire(session.id)
    other = client.checkout.sessions.create(basket(expires_at=int(time.time()) + 3600))
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(other.expires_at))
    sandbox.control("clock", {"now": later})
    assert client.checkout.sessions.retrieve(other.id).status == "expired"
    assert sandbox.event_types(other.id) == ["checkout.session.expired"]
    refused = sandbox.control(f"checkout/{other.id}/pay", {})
    assert "cannot be paid" in refused["error"]["message"]
    page = requests.get(f"{sandbox.url}/c/pay/{other.id}", timeout=5)
    assert "expired" in page.text


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": 100},
        {"line_items": []},
        {"customer": "cus_nobody"},
        {"mode": "subscription"},
    ],
)
def test_bad_sessions_are_refused(client: Any, change: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.checkout.sessions.create(basket(**change))


def test_line_items_keep_the_omr_rule(client: Any) -> None:
    wrong = basket()
    wrong["line_items"][0]["price_data"]["unit_amount"] = 3855
    with pytest.raises(stripe.InvalidRequestError, match="divisible by 10"):
        client.checkout.sessions.create(wrong)
