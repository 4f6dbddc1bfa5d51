"""Stripe's events: whether Stripe signed one, and where it sends them."""

from collections.abc import Mapping
from typing import Any

import stripe
from django.conf import settings

from accounts.gateway.connection import GatewayRefused, client, translated


def verify_signature(*, payload: bytes, header: str, secret: str, tolerance: int) -> None:
    """Check that Stripe signed `payload`, no longer than `tolerance` seconds ago.

    Raises GatewayRefused when it did not.
    """
    if not header.isascii():
        raise GatewayRefused("A signature is plain letters and digits.")
    try:
        stripe.WebhookSignature.verify_header(payload.decode(), header, secret, tolerance)
    except (stripe.SignatureVerificationError, UnicodeDecodeError, ValueError) as error:
        raise GatewayRefused(str(error)) from error


def create_webhook_endpoint(
    *, url: str, events: list[str], metadata: Mapping[str, str]
) -> dict[str, Any]:
    """Register where Stripe sends its events; the answer holds the signing secret, only now."""
    with translated():
        endpoint = client().v1.webhook_endpoints.create(
            {
                "url": url,
                "enabled_events": events,  # type: ignore[typeddict-item]
                "api_version": settings.STRIPE_API_VERSION,  # type: ignore[typeddict-item]
                "metadata": dict(metadata),
            }
        )
    return endpoint.to_dict()


def list_webhook_endpoints() -> list[dict[str, Any]]:
    """Return every endpoint that Stripe sends events to, other programs' too; without secrets."""
    with translated():
        found = client().v1.webhook_endpoints.list({"limit": 100})
        return [endpoint.to_dict() for endpoint in found.auto_paging_iter()]


def update_webhook_endpoint(endpoint_id: str, *, events: list[str]) -> dict[str, Any]:
    """Have an endpoint sent these events, and switch it on if it was off."""
    with translated():
        endpoint = client().v1.webhook_endpoints.update(
            endpoint_id,
            {"enabled_events": events, "disabled": False},  # type: ignore[arg-type]
        )
    return endpoint.to_dict()


def delete_webhook_endpoint(endpoint_id: str) -> None:
    """Have Stripe send no more events there. What it still would have tried again is lost."""
    with translated():
        client().v1.webhook_endpoints.delete(endpoint_id)
