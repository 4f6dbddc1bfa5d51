"""What Stripe's events do to transactions, in any order and however often."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from djstripe.models import Event, WebhookEndpoint

from accounts.models import Account, Card
from accounts.tests.stripe_side import decline_from_now_on, lose_answers
from invoices import settlement, webhook_receivers
from invoices.models import Status, Transaction
from invoices.tests.stripe_events import events, listen, post
from invoices.tests.test_charging import charge
from wallet.tests.factories import balance_of, make_payer

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(sandbox: "Sandbox") -> WebhookEndpoint:
    return listen(sandbox)


@pytest.fixture
def alice(endpoint: WebhookEndpoint, add_card: Callable[..., Card]) -> Account:
    return make_payer(add_card, name="Alice Trading")


@pytest.fixture
def nudged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The transactions that the worker was told to ask about."""
    asked: list[int] = []
    monkeypatch.setattr(
        webhook_receivers, "nudge", lambda *, transaction_id: asked.append(transaction_id)
    )
    return asked


def test_a_capture_settles_the_charge_whose_answer_was_lost(
    alice: Account, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    lose_answers(sandbox)
    lost = charge(alice)
    [capture] = [event for event in events("charge.succeeded") if is_of(event, lost)]
    for _ in range(3):
        assert post(endpoint, capture).status_code == 200
    lost.refresh_from_db()
    assert (lost.status, lost.card_last4) == (Status.PAID, "4242")
    assert balance_of(alice) == 25


def test_a_decline_settles_the_charge_whose_answer_was_lost(
    alice: Account, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    lose_answers(sandbox)
    lost = charge(alice)
    post(endpoint, events("payment_intent.payment_failed")[0])
    lost.refresh_from_db()
    assert (lost.status, lost.failure_code) == (Status.FAILED, "insufficient_funds")


def test_an_old_decline_does_not_undo_a_payment(
    alice: Account, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    failed = charge(alice)
    decline = events("payment_intent.payment_failed")[0]
    decline_from_now_on(sandbox, alice.cards.get(), None)
    paid = charge(alice)
    decline["data"]["object"]["metadata"]["transaction"] = paid.number
    assert post(endpoint, decline).status_code == 200
    paid.refresh_from_db()
    failed.refresh_from_db()
    assert (paid.status, failed.status) == (Status.PAID, Status.FAILED)


def test_a_hold_is_no_payment(alice: Account, endpoint: WebhookEndpoint, nudged: list[int]) -> None:
    [hold] = events("charge.succeeded")
    assert post(endpoint, hold).status_code == 200
    assert (balance_of(alice), nudged) == (0, [])
    assert not Transaction.objects.exists()


def test_that_something_succeeded_has_the_worker_ask(
    alice: Account, endpoint: WebhookEndpoint, sandbox: "Sandbox", nudged: list[int]
) -> None:
    lose_answers(sandbox)
    lost = charge(alice)
    post(endpoint, events("payment_intent.succeeded")[0])
    assert nudged == [lost.pk]


def test_news_of_what_is_settled_has_nobody_ask(
    alice: Account, endpoint: WebhookEndpoint, nudged: list[int]
) -> None:
    charge(alice)
    post(endpoint, events("payment_intent.succeeded")[0])
    assert nudged == []


@pytest.mark.parametrize("metadata", [{}, None, {"transaction": "T-UNKNOWN"}, {"transaction": ""}])
def test_a_payment_that_is_not_ours_is_none_of_our_business(
    alice: Account, endpoint: WebhookEndpoint, metadata: dict[str, str] | None
) -> None:
    charge(alice)
    event = events("charge.succeeded")[0]
    event["data"]["object"]["metadata"] = metadata
    assert post(endpoint, event).status_code == 200
    assert balance_of(alice) == 25


def test_an_event_that_broke_is_taken_up_when_it_is_delivered_again(
    alice: Account,
    endpoint: WebhookEndpoint,
    sandbox: "Sandbox",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks(**kwargs: object) -> None:
        raise RuntimeError("the database went away")

    lose_answers(sandbox)
    lost = charge(alice)
    capture = events("charge.succeeded")[0]
    with monkeypatch.context() as patch:
        patch.setattr(settlement, "settle", breaks)
        assert post(endpoint, capture).status_code == 500
    assert not Event.objects.filter(id=capture["id"]).exists()
    assert post(endpoint, capture).status_code == 200
    lost.refresh_from_db()
    assert (lost.status, balance_of(alice)) == (Status.PAID, 25)


def is_of(event: dict[str, Any], transaction: Transaction) -> bool:
    metadata = event["data"]["object"]["metadata"]
    return bool(metadata.get("transaction") == transaction.number)
