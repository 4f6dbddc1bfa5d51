"""Every answer looks like Stripe's: as its own sample objects do, and as its SDK declares.

The samples say which fields a resource has, the SDK's classes what each may hold. With
`STRIPE_FIXTURES` set, the samples come from that file (Stripe's own, or one made from it).
"""

from __future__ import annotations

import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from .harness import Sandbox
from .sdk_types import mistakes
from .test_checkout import basket

_COPY = Path(__file__).parent / "fixtures.json"
KINDS = sorted(json.loads(_COPY.read_text(encoding="utf-8")))


def _samples() -> dict[str, Any]:
    found = json.loads(Path(os.environ.get("STRIPE_FIXTURES", _COPY)).read_text(encoding="utf-8"))
    return dict(found.get("resources", found))


SAMPLES = _samples()
# Present once a refund has failed; the samples have one that succeeded.
_LATER = {"refund": {"failure_balance_transaction", "failure_reason"}}
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
        added = ours.keys() - sample.keys() - _LATER.get(path, set())
        found = [f"{path}: {name} added" for name in added]
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
    failed = client.refunds.create({"payment_intent": paid.id, "reason": "duplicate"})
    sandbox.control(f"refunds/{failed.id}/fail")
    sandbox.control("payments", {"amount": 3850, "payment_method": "pm_card_createDispute"})
    sandbox.control("payments", {"amount": 3850, "payment_method": "pm_card_createDisputeInquiry"})
    for outcome in ("win", "lose", "withdraw"):
        other = sandbox.control("payments", {"amount": 3850})["latest_charge"]
        dispute = sandbox.control(f"charges/{other}/dispute", {"inquiry": outcome == "withdraw"})
        sandbox.control(f"disputes/{dispute['id']}/{outcome}")
    pending = sandbox.control(
        "payments", {"amount": 3850, "payment_method": "pm_card_pendingRefund"}
    )
    client.refunds.create({"charge": pending["latest_charge"]})
    held = client.payment_intents.create(
        {**charge, "capture_method": "manual", "payment_method": "pm_card_amex"}
    )
    client.payment_intents.cancel(held.id, {"cancellation_reason": "abandoned"})
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
    saved = sandbox.control(f"setup_intents/{setup.id}/confirm", {})["payment_method"]
    sandbox.control(f"payment_methods/{saved}/behaviour", {"exp_year": 2041})
    sandbox.control(f"checkout/{client.checkout.sessions.create(basket()).id}/pay", {})
    late = client.checkout.sessions.create(basket()).id
    sandbox.control(f"checkout/{late}/expire")
    sandbox.control(f"checkout/{late}/pay", {"although_expired": True})
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


@pytest.mark.parametrize("kind", KINDS)
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


@pytest.mark.parametrize("kind", KINDS)
def test_answers_have_the_types_and_values_that_the_sdk_declares(
    objects: list[dict[str, Any]], kind: str
) -> None:
    for one in (one for one in objects if one["object"] == kind):
        assert mistakes(one) == []
        if kind == "event":
            assert mistakes(one["data"]["object"]) == []


@pytest.mark.parametrize(
    ("kind", "path", "value", "complaint"),
    [
        ("refund", ["amount"], "10", "refund.amount: str instead of int"),
        ("refund", ["amount"], None, "refund.amount: NoneType instead of int"),
        ("refund", ["charge"], 5, "refund.charge: int instead of str"),
        ("refund", ["reason"], "whim", "refund.reason: 'whim' is none of its values"),
        ("dispute", ["status"], "withdrawn", "dispute.status: 'withdrawn' is none of its values"),
        ("dispute", ["flavour"], 1, "dispute: flavour is not Stripe's"),
        ("charge", ["billing_details"], 3, "charge.billing_details: int instead of an object"),
        ("charge", ["metadata", "a"], 1, "charge.metadata.a: int instead of str"),
        (
            "charge",
            ["payment_method_details", "card", "exp_month"],
            "12",
            "charge.payment_method_details.card.exp_month: str instead of int",
        ),
    ],
)
def test_the_judge_sees_what_is_wrong(
    objects: list[dict[str, Any]], kind: str, path: list[str], value: Any, complaint: str
) -> None:
    wrong = deepcopy(next(one for one in objects if one["object"] == kind))
    part = wrong
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    assert mistakes(wrong) == [complaint]
