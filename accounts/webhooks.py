"""Stripe's webhooks: our own check in front of dj-stripe.

dj-stripe stores a body before it verifies the signature, accepts a live event on a test endpoint,
answers 500 to a garbage X-Forwarded-For, and with DEBUG on accepts a forged secret header. So size,
signature, age and mode are checked here first, and only what passes reaches it. What an event does
is in each app's `webhook_receivers`; where Stripe is told to send them, in `webhook_endpoint`.
"""

import ipaddress
import json
import uuid

import structlog
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from djstripe.models import WebhookEndpoint
from djstripe.views import ProcessWebhookView

from accounts import gateway

log = structlog.get_logger(__name__)

#: What the portal listens to.
EVENTS = [
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.refunded",
    "charge.succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "customer.created",
    "customer.updated",
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
    "payment_method.attached",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "payment_method.updated",
    "setup_intent.setup_failed",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "setup_intent.succeeded",
]

_receive = ProcessWebhookView.as_view()


@csrf_exempt
@require_POST
def receive(request: HttpRequest, uuid: uuid.UUID) -> HttpResponseBase:
    """Check an event and hand it to dj-stripe.

    404 for an endpoint that is not ours, 413 for a body that is too large, 400 for a signature
    that is missing, wrong or too old, or for the other mode.
    """
    endpoint = WebhookEndpoint.objects.filter(djstripe_uuid=uuid).first()
    if endpoint is None:
        return _refuse(404, "unknown_endpoint", "There is no such webhook endpoint.")
    if _announced_size(request) > settings.STRIPE_WEBHOOK_MAXIMUM_BYTES:
        return _refuse(413, "too_large", "The event is too large.")
    try:
        gateway.verify_signature(
            payload=request.body,
            header=request.headers.get("Stripe-Signature", ""),
            secret=endpoint.secret,
            tolerance=settings.STRIPE_WEBHOOK_TOLERANCE_SECONDS,
        )
        event = json.loads(request.body)
    except (gateway.GatewayRefused, ValueError):
        return _refuse(400, "invalid_signature", "The signature is missing, wrong or too old.")
    if not isinstance(event, dict) or event.get("livemode") is not settings.STRIPE_LIVE_MODE:
        return _refuse(400, "wrong_mode", "The event is of the other mode, live or test.")
    _drop_what_dj_stripe_trips_over(request)
    return _receive(request, uuid=uuid)


def _refuse(status: int, code: str, detail: str) -> JsonResponse:
    log.warning("webhook_refused", code=code)
    return JsonResponse({"code": code, "detail": detail}, status=status)


def _announced_size(request: HttpRequest) -> int:
    """Return how many bytes are to come; without a number Django reads none at all."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _drop_what_dj_stripe_trips_over(request: HttpRequest) -> None:
    request.META.pop("HTTP_X_DJSTRIPE_WEBHOOK_SECRET", None)
    try:
        ipaddress.ip_address(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")[0].strip())
    except ValueError:
        request.META.pop("HTTP_X_FORWARDED_FOR", None)
    # `headers` remembers what META was when it was first read.
    vars(request).pop("headers", None)
