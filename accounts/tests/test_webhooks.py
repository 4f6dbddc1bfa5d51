"""The check in front of dj-stripe: size, signature, age and mode; what fails it leaves no trace."""

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from djstripe.models import Event, WebhookEndpoint

from accounts.kept_secrets import signing_secret_of
from invoices.tests.stripe_events import nothing_is_stored, post, signature

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.django_db


def test_a_signed_event_is_kept_and_a_repeated_one_is_fine(
    endpoint: WebhookEndpoint, event: dict[str, Any]
) -> None:
    for _ in range(2):
        assert post(endpoint, event).status_code == 200
    assert Event.objects.get().id == event["id"]


@pytest.mark.parametrize(
    ("case", "status", "code"),
    [
        ({"secret": "whsec_wrong"}, 400, "invalid_signature"),
        ({"headers": {"Stripe-Signature": ""}}, 400, "invalid_signature"),
        ({"headers": {"Stripe-Signature": "nonsense"}}, 400, "invalid_signature"),
        ({"headers": {"Stripe-Signature": "t=now,v1=abc"}}, 400, "invalid_signature"),
        ({"moment": int(time.time()) - 3600}, 400, "invalid_signature"),
        (
            {
                "secret": "whsec_wrong",
                "headers": {"x-djstripe-webhook-secret": "whsec_anything"},
            },
            400,
            "invalid_signature",
        ),
    ],
    ids=["wrong secret", "none", "nonsense", "no time", "an hour old", "forged for dj-stripe"],
)
def test_an_event_that_stripe_did_not_sign_just_now_is_refused(
    endpoint: WebhookEndpoint,
    event: dict[str, Any],
    case: dict[str, Any],
    status: int,
    code: str,
) -> None:
    answer = post(endpoint, event, **case)
    assert (answer.status_code, json.loads(answer.content)["code"]) == (status, code)
    assert nothing_is_stored()


def test_an_endpoint_whose_secret_is_not_known_takes_nothing(
    endpoint: WebhookEndpoint, event: dict[str, Any]
) -> None:
    # As dj-stripe keeps an endpoint that it learned of from Stripe's list.
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(secret="")
    body = json.dumps(event).encode()
    forged = {"Stripe-Signature": signature(body, "")}
    answer = post(endpoint, body, headers=forged)
    assert (answer.status_code, json.loads(answer.content)["code"]) == (400, "invalid_signature")
    assert nothing_is_stored()


def test_a_signature_of_another_body_is_refused(
    endpoint: WebhookEndpoint, event: dict[str, Any]
) -> None:
    other = signature(b"{}", signing_secret_of(endpoint))
    assert post(endpoint, event, headers={"Stripe-Signature": other}).status_code == 400
    assert nothing_is_stored()


def test_a_forged_secret_header_is_refused_even_while_debugging(
    endpoint: WebhookEndpoint, event: dict[str, Any], settings: Any
) -> None:
    settings.DEBUG = True
    forged = {"x-djstripe-webhook-secret": signing_secret_of(endpoint)}
    answer = post(endpoint, event, headers={"Stripe-Signature": "t=1,v1=1", **forged})
    assert answer.status_code == 400
    assert nothing_is_stored()


@pytest.mark.parametrize("livemode", [True, None, "false", 0])
def test_an_event_of_the_other_mode_is_refused(
    endpoint: WebhookEndpoint, event: dict[str, Any], livemode: object
) -> None:
    answer = post(endpoint, {**event, "livemode": livemode})
    assert (answer.status_code, json.loads(answer.content)["code"]) == (400, "wrong_mode")
    assert nothing_is_stored()


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b"17"])
def test_a_signed_body_that_is_no_event_is_refused(endpoint: WebhookEndpoint, body: bytes) -> None:
    assert post(endpoint, body).status_code == 400
    assert nothing_is_stored()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"not json"])
def test_a_signed_body_that_is_no_json_is_refused(endpoint: WebhookEndpoint, body: bytes) -> None:
    assert post(endpoint, body).status_code == 400
    assert nothing_is_stored()


def test_a_body_that_is_too_large_is_refused_unread(
    endpoint: WebhookEndpoint, event: dict[str, Any]
) -> None:
    answer = post(endpoint, {**event, "padding": "x" * 600_000})
    assert (answer.status_code, json.loads(answer.content)["code"]) == (413, "too_large")
    assert nothing_is_stored()


@pytest.mark.parametrize("address", ["garbage", "1.2.3.4, evil", "', DROP TABLE --", "::1"])
def test_a_garbage_forwarded_for_header_does_no_harm(
    endpoint: WebhookEndpoint, event: dict[str, Any], address: str
) -> None:
    assert post(endpoint, event, headers={"X-Forwarded-For": address}).status_code == 200
    assert Event.objects.count() == 1


@pytest.mark.parametrize("length", ["abc", "-1", "1e9"])
def test_a_garbage_content_length_is_no_fault_of_ours(
    endpoint: WebhookEndpoint, event: dict[str, Any], length: str
) -> None:
    answer = post(endpoint, event, headers={"Content-Length": length})
    assert answer.status_code == 400
    assert nothing_is_stored()


def test_an_endpoint_that_is_not_ours_is_not_found(
    endpoint: WebhookEndpoint, event: dict[str, Any]
) -> None:
    endpoint.djstripe_uuid = uuid.uuid4()
    assert post(endpoint, event).status_code == 404
    assert nothing_is_stored()


def test_only_posts_are_answered(endpoint: WebhookEndpoint) -> None:
    assert Client().get(f"/stripe/webhook/{endpoint.djstripe_uuid}/").status_code == 405
