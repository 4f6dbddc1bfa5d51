"""Stripe's webhooks: our own check in front of dj-stripe.

dj-stripe stores a body before it verifies the signature, accepts a live event on a test endpoint,
answers 500 to a garbage X-Forwarded-For and to what is no event, and with DEBUG on accepts a forged
secret header. So size, signature, age, form and mode are checked here first, and only what passes
reaches it. What an event does
is in each app's `webhook_receivers`; where Stripe is told to send them, in `webhook_endpoint`.
"""

import ipaddress
import json
import uuid
from collections.abc import Iterator
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from djstripe.models import WebhookEndpoint
from djstripe.views import ProcessWebhookView

from accounts import gateway
from accounts.kept_secrets import signing_secret_of

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
#: What columns of ids hold, and the last second of the year 9999.
_LONGEST_ID: Final = 255
_LAST_MOMENT: Final = 253_402_300_799


@csrf_exempt
@require_POST
def receive(request: HttpRequest, uuid: uuid.UUID) -> HttpResponseBase:
    """Check an event and hand it to dj-stripe.

    404 for an endpoint that is not ours, 413 for a body that is too large, 400 for a signature
    that is missing, wrong or too old, for what is no event, or for the other mode.
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
            secret=signing_secret_of(endpoint),
            tolerance=settings.STRIPE_WEBHOOK_TOLERANCE_SECONDS,
        )
    except (gateway.GatewayRefused, ValueError):  # the latter: its length is no number
        return _refuse(400, "invalid_signature", "The signature is missing, wrong or too old.")
    try:
        event = _event_in(request.body)
    except ValueError:
        return _refuse(400, "not_an_event", "This is no event that can be kept.")
    if event.get("livemode") is not settings.STRIPE_LIVE_MODE:
        return _refuse(400, "wrong_mode", "The event is of the other mode, live or test.")
    _drop_what_dj_stripe_trips_over(request)
    response = gateway.with_answers(lambda: _take_in(request, uuid))
    log.info(
        "webhook_received",
        event_id=event.get("id"),
        type=event.get("type"),
        status=response.status_code,
    )
    return response


def _take_in(request: HttpRequest, uuid: uuid.UUID) -> HttpResponseBase:
    """Have dj-stripe keep the event, and each app do what it does with it: all of it or nothing.

    Of what fails dj-stripe keeps the delivery, with why; of what is begun again, nothing.
    """
    failure: Exception | None = None
    with transaction.atomic():
        try:
            return _receive(request, uuid=uuid)
        except Exception as error:  # noqa: BLE001 - raised again below
            failure = error
    raise failure


def _event_in(body: bytes) -> dict[str, Any]:
    """Return the event. Raises ValueError for what is none, and what PostgreSQL can't keep."""
    try:
        event = json.loads(body, parse_constant=_refuse_number)
        for text in _texts_of(event):
            if "\0" in text:
                raise ValueError("There is a NUL in a text.")
            text.encode()  # half a character can't be
        data = event["data"]
        is_event = (
            isinstance(event["id"], str)
            and 0 < len(event["id"]) <= _LONGEST_ID
            and isinstance(event["type"], str)
            and isinstance(event["created"], int)
            and 0 <= event["created"] <= _LAST_MOMENT
            and isinstance(data["object"], dict)
        )
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("This is no event.") from error
    if not is_event:
        raise ValueError("This is no event.")
    return dict(event)


def _texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts_of(item)


def _refuse_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON.")


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
