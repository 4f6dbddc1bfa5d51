"""Stripe's events, posted to the portal as Stripe posts them: signed, to the address it gave."""

import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

from django.test import Client
from djstripe.models import Event, WebhookEndpoint, WebhookEventTrigger

from accounts import gateway, webhook_endpoint
from accounts.kept_secrets import signing_secret_of

if TYPE_CHECKING:
    from conftest import Sandbox


def listen(sandbox: "Sandbox") -> WebhookEndpoint:
    """Register the portal at the sandbox, which records events but leaves posting to the test."""
    sandbox.control("webhooks", {"paused": True})
    return webhook_endpoint.register_endpoint(portal_url="http://testserver").endpoint


def events(kind: str) -> list[dict[str, Any]]:
    """Return Stripe's events of a kind, newest first."""
    listed = gateway.client().v1.events.list({"type": kind, "limit": 100}).data
    return [event.to_dict() for event in listed]


def signature(payload: bytes, secret: str, *, moment: int | None = None) -> str:
    """Return the header that proves who sent `payload`, and when."""
    moment = int(time.time()) if moment is None else moment
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + payload, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()}"


def post(
    endpoint: WebhookEndpoint,
    event: dict[str, Any] | bytes,
    *,
    secret: str | None = None,
    moment: int | None = None,
    headers: dict[str, str] | None = None,
) -> Any:
    """Post an event to the portal. A header of "" is not sent."""
    payload = event if isinstance(event, bytes) else json.dumps(event).encode()
    sent = {
        "Stripe-Signature": signature(
            payload, secret or signing_secret_of(endpoint), moment=moment
        ),
        **(headers or {}),
    }
    return Client(raise_request_exception=False).post(
        f"/stripe/webhook/{endpoint.djstripe_uuid}/",
        data=payload,
        content_type="application/json",
        headers={name: value for name, value in sent.items() if value},
    )


def nothing_is_stored() -> bool:
    """Whether dj-stripe has kept neither an event nor what was sent as one."""
    return not (Event.objects.exists() or WebhookEventTrigger.objects.exists())
