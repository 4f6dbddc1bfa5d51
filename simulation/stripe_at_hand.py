"""The sandbox Stripe, within this process: its API for the SDK, its control calls for the world."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import stripe
from django.conf import settings

from accounts import gateway
from accounts.gateway.beforehand import BeforehandClient
from simulation.gateway_faults import GatewayFaults
from stripe_sandbox.app import create_app
from stripe_sandbox.faults import FAULTS


class Refused(Exception):
    """The sandbox does not do what a customer, a bank or somebody in its dashboard wants."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message", ""))
        self.code = str(error.get("code") or "")


class StripeAtHand:
    """Stripe, its banks and its dashboard."""

    def __init__(self, folder: Path) -> None:
        FAULTS.clear()
        app = create_app(str(folder), "https://stripe.sandbox", in_background=False)
        self.store = app.extensions["store"]
        self._web = app.test_client()
        # Events are queued, and delivered when the world likes.
        self.control("webhooks", {"held": True})

    def control(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Do what people and banks do (stripe_sandbox/README.md). Raises Refused."""
        answer = self._web.post(f"/_sandbox/{path}", json=dict(body or {}))
        told: dict[str, Any] = json.loads(answer.data)
        if answer.status_code >= 400:
            raise Refused(told["error"])
        return told

    def set_clock(self, now: datetime) -> None:
        """Let it be this moment at Stripe; pages whose time is over expire."""
        self.control("clock", {"now": now.isoformat()})

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind, in the order in which they were made."""
        with self.store.quiet() as tx:
            return list(tx.select("kind = ?", (kind,), "ORDER BY seq"))

    def find(self, object_id: str) -> dict[str, Any]:
        """One object."""
        with self.store.quiet() as tx:
            found: dict[str, Any] = tx.get(object_id)
            return found

    def confirm_in_browser(self, intent: Mapping[str, Any], payment_method: str) -> None:
        """Confirm a payment as the customer's browser does, which has no secret key."""
        self._web.post(
            f"/v1/payment_intents/{intent['id']}/confirm",
            headers={"Authorization": f"Bearer {settings.STRIPE_PUBLISHABLE_KEY}"},
            data={
                "client_secret": intent["client_secret"],
                "payment_method": payment_method,
                "use_stripe_sdk": "true",
            },
        )

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        """Answer the SDK."""
        address = urlsplit(url)
        answer = self._web.open(
            address.path,
            method=method.upper(),
            query_string=address.query,
            headers=dict(headers),
            data=body,
        )
        return answer.get_data(as_text=True), answer.status_code, dict(answer.headers)


class ClientAtHand(stripe.HTTPClient):
    """The SDK's client whose network is this process, on its good and bad days."""

    name = "at_hand"

    def __init__(self, at_hand: StripeAtHand, faults: GatewayFaults) -> None:
        super().__init__()
        self._stripe = at_hand
        self._faults = faults

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send a request, if the faults let it."""

        def send() -> tuple[str, int, Mapping[str, str]]:
            return self._stripe.request(method, url, headers or {}, post_data)

        return self._faults.suffer(method, urlsplit(url).path, send)

    def close(self) -> None:
        """There is nothing to close."""


@contextmanager
def connected(at_hand: StripeAtHand, faults: GatewayFaults) -> Iterator[None]:
    """Within, the portal and dj-stripe talk to this Stripe."""
    client = ClientAtHand(at_hand, faults)
    with (
        mock.patch.object(stripe, "RequestsClient", return_value=client),
        mock.patch.object(stripe, "default_http_client", BeforehandClient(client)),
        mock.patch.object(stripe, "api_base", settings.STRIPE_API_BASE),
    ):
        gateway.client.cache_clear()
        try:
            yield
        finally:
            gateway.client.cache_clear()
