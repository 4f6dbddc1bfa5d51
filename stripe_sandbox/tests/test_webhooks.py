"""Events and their delivery."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import stripe

from .harness import ROOT, Receiver, Sandbox, wait_for


def listen(sandbox: Sandbox, receiver: Receiver, *kinds: str) -> Any:
    return sandbox.client.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": list(kinds or ("*",))}
    )


def test_events_arrive_signed(sandbox: Sandbox, client: Any, receiver: Receiver) -> None:
    sandbox.control("clock", {"now": "2030-05-05T00:00:00Z"})
    endpoint = listen(sandbox, receiver, "customer.created")
    assert endpoint.secret.startswith("whsec_")
    assert "secret" not in client.webhook_endpoints.retrieve(endpoint.id).to_dict()
    made = client.customers.create({"name": "A"})
    client.customers.update(made.id, {"name": "B"})
    wait_for(lambda: receiver.received)
    payload, signature = receiver.received[0]
    event = stripe.Webhook.construct_event(payload, signature, endpoint.secret)
    assert (event.type, event.data.object.id) == ("customer.created", made.id)
    assert event.created == made.created
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(payload, signature, "whsec_other")
    wait_for(lambda: client.events.retrieve(event.id).pending_webhooks == 0)
    assert receiver.types == ["customer.created"]


def test_a_refused_delivery_is_retried(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.answers = [500]
    listen(sandbox, receiver)
    sandbox.client.customers.create({})
    wait_for(lambda: len(receiver.received) == 2)
    assert receiver.received[0][0] == receiver.received[1][0]


def test_a_receiver_may_call_the_api(sandbox: Sandbox, receiver: Receiver) -> None:
    found: list[int] = []
    receiver.during = lambda: found.append(len(sandbox.client.customers.list().data))
    listen(sandbox, receiver)
    began = time.monotonic()
    sandbox.client.customers.create({})
    assert time.monotonic() - began < 2
    wait_for(lambda: found == [1])


def test_paused_events_are_recorded_and_not_sent(sandbox: Sandbox, receiver: Receiver) -> None:
    listen(sandbox, receiver)
    sandbox.control("webhooks", {"paused": True})
    sandbox.client.customers.create({"name": "quiet"})
    sandbox.control("webhooks", {"paused": False})
    sandbox.client.customers.create({"name": "loud"})
    wait_for(lambda: receiver.received)
    assert [json.loads(one)["data"]["object"]["name"] for one, _ in receiver.received] == ["loud"]
    assert len(sandbox.client.events.list({"type": "customer.created"}).data) == 2
    several = {"types": ["customer.created", "customer.deleted"]}
    assert len(sandbox.client.events.list(several).data) == 2


def test_held_events_are_released_in_reverse(sandbox: Sandbox, receiver: Receiver) -> None:
    listen(sandbox, receiver)
    sandbox.control("webhooks", {"held": True})
    made = sandbox.client.customers.create({})
    sandbox.client.customers.delete(made.id)
    sandbox.control("webhooks", {"held": False, "order": "reverse"})
    wait_for(lambda: len(receiver.received) == 2)
    assert receiver.types == ["customer.deleted", "customer.created"]


def test_an_event_is_sent_again_on_command(sandbox: Sandbox, receiver: Receiver) -> None:
    listen(sandbox, receiver)
    sandbox.client.customers.create({})
    wait_for(lambda: receiver.received)
    event = sandbox.client.events.list().data[0]
    assert sandbox.control(f"events/{event.id}/resend", {"times": 20}) == {"queued": 20}
    wait_for(lambda: len(receiver.received) == 21)
    assert {json.loads(one)["id"] for one, _ in receiver.received} == {event.id}


def test_a_disabled_or_deleted_endpoint_gets_nothing(sandbox: Sandbox, receiver: Receiver) -> None:
    endpoint = listen(sandbox, receiver)
    sandbox.client.webhook_endpoints.update(endpoint.id, {"disabled": True})
    sandbox.client.customers.create({})
    sandbox.client.webhook_endpoints.delete(endpoint.id)
    assert sandbox.client.webhook_endpoints.list().data == []
    assert sandbox.control("deliveries", method="GET")["data"] == []


def test_state_and_pending_deliveries_survive_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    own = Sandbox(tmp_path)
    own.start()
    try:
        receiver.answers = [500]
        listen(own, receiver)
        made = own.client.customers.create({"name": "kept"}, {"idempotency_key": "k"})
        wait_for(lambda: receiver.received)
    finally:
        took = own.stop()
    assert took < 2
    assert own.process is not None
    assert own.process.returncode == 0
    own.start()
    try:
        assert own.client.customers.retrieve(made.id).name == "kept"
        assert own.client.customers.create({"name": "kept"}, {"idempotency_key": "k"}).id == made.id
        wait_for(lambda: len(receiver.received) == 2)
    finally:
        own.stop()


@pytest.mark.parametrize("debug", ["0", "false", "off", "No", ""])
def test_it_refuses_to_start_with_debug_off(debug: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "stripe_sandbox", "--port", "1", "--data-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "DEBUG": debug},
        capture_output=True,
        timeout=10,
        check=False,
    )
    assert ended.returncode == 2
    assert b"DEBUG is off" in ended.stderr
