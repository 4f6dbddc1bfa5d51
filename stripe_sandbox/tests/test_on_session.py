"""A payment that failed off-session for want of authentication, completed by its customer."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import stripe

from .harness import PUBLISHABLE, Sandbox
from .test_payments import CHARGE, saved


def declined_off_session(sandbox: Sandbox, customer: Any) -> tuple[Any, str]:
    """A saved card's payment, declined until the customer confirms it; and the card's id."""
    method = saved(sandbox, customer, "pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as caught:
        sandbox.client.payment_intents.create(
            {**CHARGE, "customer": customer.id, "payment_method": method}
        )
    error: Any = caught.value.error
    return sandbox.client.payment_intents.retrieve(error.payment_intent["id"]), method


def as_browser(sandbox: Sandbox, intent: Any, action: str = "", **params: str) -> Any:
    """What Stripe.js sends, with the publishable key and the client secret."""
    sent = {"client_secret": intent.client_secret, **params}
    answer = requests.request(
        "POST" if action else "GET",
        f"{sandbox.url}/v1/payment_intents/{intent.id}{action}",
        params=None if action else sent,
        data=sent if action else None,
        headers={"Authorization": f"Bearer {PUBLISHABLE}"},
        timeout=10,
    )
    return answer.json()


def test_the_browser_confirms_the_same_payment_with_the_saved_card(
    sandbox: Sandbox, client: Any, customer: Any
) -> None:
    intent, method = declined_off_session(sandbox, customer)
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    seen = as_browser(sandbox, intent)
    assert seen["last_payment_error"]["payment_method"]["id"] == method

    asked = as_browser(sandbox, intent, "/confirm", payment_method=method, use_stripe_sdk="true")
    assert (asked["id"], asked["status"]) == (intent.id, "requires_action")
    assert asked["next_action"]["type"] == "use_stripe_sdk"
    assert "customer" not in asked

    sandbox.control(f"payment_intents/{intent.id}/authenticate")
    paid = client.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (paid.status, paid.amount_received, paid.payment_method) == ("succeeded", 3850, method)
    card = paid.latest_charge.payment_method_details.card
    assert card.three_d_secure.result == "authenticated"
    charges = client.charges.list({"payment_intent": intent.id}).data
    assert [one.status for one in charges] == ["succeeded", "failed"]
    assert sandbox.event_types(intent.id) == [
        "payment_intent.created",
        "payment_intent.payment_failed",
        "payment_intent.requires_action",
        "payment_intent.succeeded",
    ]


def test_a_failed_challenge_may_be_tried_again(
    sandbox: Sandbox, client: Any, customer: Any
) -> None:
    intent, method = declined_off_session(sandbox, customer)
    for passed in (False, True):
        as_browser(sandbox, intent, "/confirm", payment_method=method, use_stripe_sdk="true")
        sandbox.control(f"payment_intents/{intent.id}/authenticate", {"passed": passed})
    assert client.payment_intents.retrieve(intent.id).status == "succeeded"


def test_another_saved_card_may_pay_it(sandbox: Sandbox, customer: Any) -> None:
    intent, _ = declined_off_session(sandbox, customer)
    other = saved(sandbox, customer)
    paid = as_browser(sandbox, intent, "/confirm", payment_method=other, use_stripe_sdk="true")
    assert paid["status"] == "succeeded"


def test_strangers_and_cards_of_others_are_refused(
    sandbox: Sandbox, client: Any, customer: Any
) -> None:
    intent, method = declined_off_session(sandbox, customer)
    stranger = client.customers.create({})
    foreign = saved(sandbox, stranger)
    refused = as_browser(sandbox, intent, "/confirm", payment_method=foreign)
    assert "does not belong" in refused["error"]["message"]
    for secret in ("", f"{intent.client_secret}x"):
        refused = as_browser(
            sandbox, intent, "/confirm", payment_method=method, client_secret=secret
        )
        assert refused["error"]["code"] == "resource_missing"
    assert client.payment_intents.retrieve(intent.id).status == "requires_payment_method"
