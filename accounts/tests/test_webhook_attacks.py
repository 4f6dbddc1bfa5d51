"""Stripe's webhook address, attacked: 4xx, nothing stored, never a fault of ours.

Signature, age, mode and size one by one: accounts/tests/test_webhooks.py. Here: what else may be
wrong with a request, with or without the secret. A right one twenty times at once:
tests/test_concurrency.py.
"""

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from djstripe.models import Event, WebhookEndpoint

from accounts.kept_secrets import signing_secret_of
from invoices.tests.stripe_events import nothing_is_stored, post, signature

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.django_db


def altered(body: bytes, place: int) -> bytes:
    """The body with one bit turned over."""
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


def test_a_body_of_which_one_bit_is_other_is_refused(
    endpoint: WebhookEndpoint, event: dict[str, Any]
) -> None:
    body = json.dumps(event).encode()
    signed = {"Stripe-Signature": signature(body, signing_secret_of(endpoint))}
    for place in range(0, len(body), max(1, len(body) // 40)):
        assert post(endpoint, altered(body, place), headers=signed).status_code == 400
    for other in (body + b" ", body[:-1], b" " + body, body + body):
        assert post(endpoint, other, headers=signed).status_code == 400
    assert nothing_is_stored()


def headers_for(body: bytes, secret: str) -> dict[str, str]:
    now = int(time.time())
    right = signature(body, secret).partition("v1=")[2]
    return {
        "only a time": f"t={now}",
        "only a proof": f"v1={right}",
        "of another scheme": f"t={now},v0={right}",
        "cut off": f"t={now},v1={right[:-1]}",
        "longer": f"t={now},v1={right}0",
        "empty": f"t={now},v1=",
        "another time": f"t={now - 1},v1={right}",
        "no number": f"t=NaN,v1={right}",
        "a very long number": f"t={'9' * 5_000},v1={right}",
        "in capitals": f"t={now},v1={right.upper()}",
        "half a character": f"t={now},v1=\u00e9{right}",
        "a million parts": ",".join(["v1=0"] * 20_000),
        "of the endpoint before": signature(body, "whsec_" + "0" * 32),
        "of nothing": signature(body, ""),
    }


def test_a_header_that_proves_nothing_is_refused(
    endpoint: WebhookEndpoint, event: dict[str, Any]
) -> None:
    body = json.dumps(event).encode()
    for what, header in headers_for(body, signing_secret_of(endpoint)).items():
        answer = post(endpoint, body, headers={"Stripe-Signature": header})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_signature"), what
    assert nothing_is_stored()


def test_what_a_proxy_may_have_added_decides_nothing(
    endpoint: WebhookEndpoint, event: dict[str, Any]
) -> None:
    """Garbage neither lets a forged event in nor keeps a right one out."""
    garbage = (
        "",
        "garbage",
        "1.2.3.4, evil",
        "\u00ff" * 300,
        "::ffff:1.2.3.4",
        "'; DROP TABLE x --",
    )
    names = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded")
    for name, value in itertools.product(names, garbage):
        forged = post(endpoint, event, secret="whsec_wrong", headers={name: value})
        assert forged.status_code == 400, (name, value)
    assert nothing_is_stored()
    for name, value in itertools.product(names, garbage):
        assert post(endpoint, event, headers={name: value}).status_code == 200, (name, value)
    assert Event.objects.count() == 1


#: Signed, so by somebody who has the secret, and still no event that can be kept.
BROKEN: dict[str, Any] = {
    "empty": {},
    "without an id": {"id": None},
    "an id that is none": {"id": 17},
    "an id that is too long": {"id": "evt_" + "x" * 500},
    "without a type": {"type": None},
    "a type that is none": {"type": ["charge.succeeded"]},
    "without data": {"data": None},
    "data that is none": {"data": "x"},
    "without an object": {"data": {}},
    "an object that is none": {"data": {"object": 5}},
    "NUL in a text": {"data": {"object": {"id": "ch_1", "object": "charge", "x": "a\x00b"}}},
    "half a character": {"data": {"object": {"id": "ch_1", "object": "charge", "x": "\ud800"}}},
    "no number": {"data": {"object": {"id": "ch_1", "object": "charge", "x": float("nan")}}},
    "a moment that is none": {"created": "yesterday"},
}


@pytest.mark.parametrize("changes", BROKEN.values(), ids=BROKEN)
def test_a_signed_event_that_can_t_be_kept_is_refused(
    endpoint: WebhookEndpoint, event: dict[str, Any], changes: dict[str, Any]
) -> None:
    sent = {**event, **changes} if changes else {"livemode": False}
    answer = post(endpoint, sent)
    assert answer.status_code == 400
    assert answer.json()["code"] == "not_an_event"
    assert nothing_is_stored()


def test_a_signed_body_of_brackets_is_refused(endpoint: WebhookEndpoint) -> None:
    for body in (b"[" * 200_000, b'{"a":' * 80_000, b"1" * 400_000):
        assert post(endpoint, body).status_code == 400
    assert nothing_is_stored()


def test_an_address_that_is_none_is_not_found() -> None:
    for address in ("x", "00000000-0000-0000-0000-000000000000", "%00", "..%2f..%2fadmin"):
        for method in ("get", "post", "put", "delete"):
            answer = getattr(Client(raise_request_exception=False), method)(
                f"/stripe/webhook/{address}/", secure=True
            )
            assert answer.status_code in (404, 405), address
