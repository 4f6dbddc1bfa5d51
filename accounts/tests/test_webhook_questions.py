"""What dj-stripe asks Stripe while it takes an event in is asked with no transaction open."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import stripe
from django.db import connection
from djstripe.models import Charge, Event, WebhookEndpoint, WebhookEventTrigger

from accounts.gateway import beforehand, with_answers
from accounts.tests.factories import make_account
from accounts.tests.stripe_side import TRIES
from invoices.tests.stripe_events import events, post

if TYPE_CHECKING:
    from accounts.models import Card
    from conftest import Sandbox

#: Commits are commits here.
pytestmark = pytest.mark.django_db(transaction=True)

Asked = list[tuple[str, bool]]


@pytest.fixture
def hold(endpoint: WebhookEndpoint, add_card: Callable[..., "Card"]) -> dict[str, Any]:
    """An event about a charge whose customer, card and intent dj-stripe does not know yet."""
    add_card(make_account())
    return events("charge.succeeded")[0]


@pytest.fixture
def asked(hold: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What is asked from now on, and whether a transaction was open meanwhile."""
    requests: Asked = []
    send = stripe.RequestsClient.request

    def noted(client: Any, method: str, url: str, *rest: Any, **more: Any) -> Any:
        requests.append((urlsplit(url).path.split("/")[2], connection.in_atomic_block))
        return send(client, method, url, *rest, **more)

    monkeypatch.setattr(stripe.RequestsClient, "request", noted)
    return requests


def test_no_transaction_is_open_while_stripe_is_asked(
    endpoint: WebhookEndpoint, hold: dict[str, Any], asked: Asked
) -> None:
    assert post(endpoint, hold).status_code == 200

    assert len(asked) > 2
    assert {path for path, _ in asked} >= {"charges", "customers", "payment_intents"}
    assert not any(is_open for _, is_open in asked)
    assert len(asked) == len(set(asked)), "nothing is asked twice"
    assert Charge.objects.get().stripe_data["id"] == hold["data"]["object"]["id"]
    [kept] = WebhookEventTrigger.objects.all()
    assert (kept.processed, kept.event) == (True, Event.objects.get())


def test_an_event_that_could_not_be_asked_about_is_kept_with_why_and_taken_in_later(
    endpoint: WebhookEndpoint, hold: dict[str, Any], sandbox: "Sandbox"
) -> None:
    asked = {"path": "/v1/payment_intents", "method": "GET"}
    sandbox.fail_next(action="status", status=500, count=TRIES, match=asked)

    assert post(endpoint, hold).status_code == 500
    [failed] = WebhookEventTrigger.objects.all()
    assert not failed.processed
    assert "StripeError" in failed.traceback or "APIError" in failed.traceback
    assert not Charge.objects.exists()
    assert not Event.objects.exists()

    assert post(endpoint, hold).status_code == 200
    assert Charge.objects.count() == Event.objects.count() == 1


def test_work_that_asks_something_else_each_time_comes_to_an_end() -> None:
    class Parrot(stripe.HTTPClient):
        def request(self, method: str, url: str, *rest: Any, **more: Any) -> Any:
            return f"answer to {url}", 200, {}

    client, begun = beforehand.BeforehandClient(Parrot()), list[int]()

    def inquisitive() -> None:
        begun.append(len(begun))
        client.request_with_retries("get", f"https://stripe.test/v1/{len(begun)}", {})

    with pytest.raises(beforehand.TooManyQuestions):
        with_answers(inquisitive)
    assert len(begun) == beforehand.MOST_QUESTIONS


def test_two_questions_are_told_apart_by_the_account_they_are_about() -> None:
    class Echo(stripe.HTTPClient):
        def request(self, method: str, url: str, headers: Any, *rest: Any, **more: Any) -> Any:
            return f"of {headers['Stripe-Account']}", 200, {}

    client = beforehand.BeforehandClient(Echo())

    def both() -> list[str]:
        return [
            client.request_with_retries("get", "/v1/balance", {"Stripe-Account": account})[0]
            for account in ("acct_1", "acct_2")
        ]

    assert with_answers(both) == ["of acct_1", "of acct_2"]
