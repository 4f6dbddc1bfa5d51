"""Every resource has exactly the fields of Stripe's own sample object, with their types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .harness import Sandbox
from .test_checkout import basket

SAMPLES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "fixtures.json").read_text(encoding="utf-8")
)
# Objects whose names depend on what they hold.
_OPEN = {
    "metadata",
    "last_payment_error",
    "last_setup_error",
    "next_action",
    "payment_method_options",
    "data",
    "automatic_payment_methods",
    "three_d_secure",
    "installments",
    "card_options",
    "payment_intent",
    "latest_charge",
    "fraud_details",
}


def differences(sample: Any, ours: Any, path: str) -> list[str]:
    """Where the two part: names missing or added, other types. null goes with anything."""
    if sample is None or ours is None:
        return []
    if isinstance(sample, bool) or isinstance(ours, bool):
        same = isinstance(sample, bool) and isinstance(ours, bool)
        return [] if same else [f"{path}: {type(ours).__name__}"]
    if type(sample) is not type(ours):
        return [f"{path}: {type(ours).__name__} instead of {type(sample).__name__}"]
    if isinstance(sample, dict) and path.rsplit(".", 1)[-1] not in _OPEN:
        if not sample and path.count("."):
            return []
        found = [f"{path}: {name} added" for name in ours.keys() - sample.keys()]
        found += [f"{path}: {name} missing" for name in sample.keys() - ours.keys()]
        for name in sample.keys() & ours.keys():
            found += differences(sample[name], ours[name], f"{path}.{name}")
        return found
    return []


def every_object(sandbox: Sandbox) -> list[dict[str, Any]]:
    """One of each, in its several states, through the API."""
    client = sandbox.client
    customer = client.customers.create({"email": "a@example.com"})
    charge = {"amount": 3850, "currency": "omr", "confirm": True, "off_session": True}
    paid = client.payment_intents.create({**charge, "payment_method": "pm_card_visa"})
    client.refunds.create({"payment_intent": paid.id, "amount": 10})
    client.payment_intents.create({**charge, "payment_method": "pm_card_createDispute"})
    sandbox.call(
        "POST",
        "/v1/payment_intents",
        {
            "amount": "3850",
            "currency": "omr",
            "confirm": "true",
            "off_session": "true",
            "payment_method": "pm_card_chargeDeclined",
        },
    )
    client.payment_intents.create(
        {
            "amount": 3850,
            "currency": "omr",
            "confirm": True,
            "payment_method_types": ["card"],
            "payment_method": "pm_card_authenticationRequired",
        }
    )
    setup = client.setup_intents.create({"customer": customer.id})
    sandbox.control(f"setup_intents/{setup.id}/confirm", {})
    sandbox.control(f"checkout/{client.checkout.sessions.create(basket()).id}/pay", {})
    client.checkout.sessions.create(basket())
    client.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/", "enabled_events": ["invoice.paid"]}
    )
    lists = (
        "customers",
        "payment_intents",
        "charges",
        "refunds",
        "disputes",
        "setup_intents",
        "events",
        "balance_transactions",
        "checkout/sessions",
        "webhook_endpoints",
        "payment_methods",
    )
    found = [sandbox.call("GET", "/v1/account").json()]
    for name in lists:
        found += sandbox.call("GET", f"/v1/{name}?limit=100").json()["data"]
    return found


@pytest.fixture(scope="module")
def objects(running: Sandbox) -> list[dict[str, Any]]:
    running.control("reset")
    return every_object(running)


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_answers_have_the_fields_of_stripes_samples(
    objects: list[dict[str, Any]], kind: str
) -> None:
    ours = [one for one in objects if one["object"] == kind]
    assert ours
    for one in ours:
        assert differences(SAMPLES[kind], one, kind) == []


def test_events_carry_whole_objects(objects: list[dict[str, Any]]) -> None:
    for event in (one for one in objects if one["object"] == "event"):
        inside = event["data"]["object"]
        assert differences(SAMPLES[inside["object"]], inside, inside["object"]) == []
