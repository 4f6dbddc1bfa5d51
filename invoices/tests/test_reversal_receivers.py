"""What Stripe's events do about money that goes back, in any order and however often."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from djstripe.models import WebhookEndpoint

from accounts.models import Account, AuditEvent, Card, Message
from accounts.tests.factories import NOW
from accounts.tests.stripe_side import lose_answers, payments
from invoices import refunds, reversals
from invoices.models import Refund, RefundOrigin, RefundStatus, Status, Transaction
from invoices.tests.refunders import open_refund, refund, refund_in_dashboard
from invoices.tests.stripe_events import events, post
from invoices.tests.test_charging import charge
from wallet.models import Entry
from wallet.tests.factories import balance_of, make_payer

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(endpoint: WebhookEndpoint, add_card: Callable[..., Card]) -> Account:
    return make_payer(add_card, name="Alice Trading")


def in_dashboard(sandbox: "Sandbox", payment: Transaction, baisa: int | None = None) -> None:
    refund_in_dashboard(sandbox, payment.stripe_payment_intent_id, baisa)


def changed(event: dict[str, Any], identity: str, kind: str, **change: Any) -> dict[str, Any]:
    """Return another event about the same object, which has changed."""
    event = deepcopy(event)
    event.update(id=identity, type=kind)
    event["data"]["object"].update(change)
    return event


def test_a_refund_made_in_stripes_dashboard_is_recorded_and_takes_the_credit(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    in_dashboard(sandbox, payment)
    for kind in ("refund.created", "charge.refunded", "refund.created"):
        assert post(endpoint, events(kind)[0]).status_code == 200
    made = Refund.objects.get()
    assert (made.origin, made.status) == (RefundOrigin.STRIPE, RefundStatus.SUCCEEDED)
    assert (made.amount.amount, made.charged_amount.amount) == (25, Decimal("9.630"))
    payment.refresh_from_db()
    assert (payment.refunded_amount.amount, balance_of(alice)) == (25, 0)
    assert Message.objects.filter(event="refund_made").count() == 1


def test_partial_refunds_in_rials_become_dollars_and_the_last_takes_the_rest(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    for _ in range(3):
        in_dashboard(sandbox, payment, 3210)
    for event in reversed(events("refund.created")):
        post(endpoint, event)
    amounts = Refund.objects.order_by("pk").values_list("amount", flat=True)
    assert list(amounts) == [Decimal("8.33"), Decimal("8.33"), Decimal("8.34")]
    assert balance_of(alice) == 0


@pytest.mark.parametrize("answer", ["before", "after", "never"])
def test_our_own_refund_and_its_events_are_one(
    alice: Account,
    payment: Transaction,
    endpoint: WebhookEndpoint,
    sandbox: "Sandbox",
    answer: str,
) -> None:
    if answer == "before":
        refund(payment, "10")
    else:
        lose_answers(sandbox, "/v1/refunds")
        assert refund(payment, "10").status == RefundStatus.PENDING
    for _ in range(2):
        for kind in ("refund.created", "charge.refunded"):
            assert post(endpoint, events(kind)[0]).status_code == 200
    if answer == "after":
        reversals.sweep(now=NOW + timedelta(minutes=2))
    made = Refund.objects.get()
    assert (made.origin, made.status) == (RefundOrigin.PORTAL, RefundStatus.SUCCEEDED)
    assert (Entry.objects.filter(refund=made).count(), balance_of(alice)) == (1, 15)


def test_a_refund_that_was_given_up_counts_once_the_bank_has_decided(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint
) -> None:
    lost = open_refund(payment, "10")
    refunds._ask(lost, payment, NOW)
    refunds._give_up(lost, message="It did not reach Stripe.", now=NOW)
    [created] = events("refund.created")
    for status, refunded in (("pending", 0), ("succeeded", 10)):
        told = changed(created, f"evt_{status}", "refund.updated", status=status)
        assert post(endpoint, told).status_code == 200
        payment.refresh_from_db()
        assert (payment.refunded_amount.amount, balance_of(alice)) == (refunded, 25 - refunded)


def test_a_refund_before_the_success_of_its_payment_is_known_waits_for_it(
    alice: Account, endpoint: WebhookEndpoint, sandbox: "Sandbox", nudged: list[str]
) -> None:
    lose_answers(sandbox)
    lost = charge(alice)
    [paid] = payments(transaction=lost.number)
    refund_in_dashboard(sandbox, paid.id, 3850)
    [told] = events("refund.created")
    # A refund made in the dashboard names no transaction: the worker asks which it was.
    assert post(endpoint, told).status_code == 200
    assert (nudged, Refund.objects.count()) == ([paid.id], 0)
    reversals.ask(payment_intent_id=paid.id, now=NOW)
    lost.refresh_from_db()
    assert (lost.status, lost.refunded_amount.amount) == (Status.PAID, Decimal("9.99"))
    assert balance_of(alice) == Decimal("15.01")


def test_a_refund_that_names_its_unpaid_transaction_is_settled_with_it(
    alice: Account, endpoint: WebhookEndpoint, sandbox: "Sandbox", nudged: list[str]
) -> None:
    lose_answers(sandbox)
    lost = charge(alice)
    [paid] = payments(transaction=lost.number)
    refund_in_dashboard(sandbox, paid.id, 3850)
    [told] = events("refund.created")
    told["data"]["object"]["metadata"] = {"transaction": lost.number}
    post(endpoint, told)
    waiting = Refund.objects.get()
    assert (waiting.status, balance_of(alice), nudged) == (RefundStatus.PENDING, 0, [paid.id])
    post(endpoint, next(each for each in events("charge.succeeded") if of(each, lost)))
    waiting.refresh_from_db()
    assert waiting.status == RefundStatus.SUCCEEDED
    assert balance_of(alice) == Decimal("15.01")


def of(event: dict[str, Any], transaction: Transaction) -> bool:
    metadata = event["data"]["object"]["metadata"]
    return bool(metadata.get("transaction") == transaction.number)


def test_a_refunded_charge_was_paid(
    alice: Account, endpoint: WebhookEndpoint, sandbox: "Sandbox", nudged: list[str]
) -> None:
    lose_answers(sandbox)
    lost = charge(alice)
    [paid] = payments(transaction=lost.number)
    refund_in_dashboard(sandbox, paid.id, 3850)
    [refunded] = events("charge.refunded")[:1]
    assert post(endpoint, refunded).status_code == 200
    lost.refresh_from_db()
    assert (lost.status, nudged) == (Status.PAID, [paid.id])


def test_a_refund_the_bank_hands_back_returns_the_credit_and_is_told(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint
) -> None:
    made = refund(payment)
    [created] = events("refund.created")
    failed = changed(
        created,
        "evt_failed",
        "refund.failed",
        status="failed",
        failure_reason="lost_or_stolen_card",
    )
    updated = changed(failed, "evt_updated", "refund.updated")
    for event in (updated, failed, created):
        assert post(endpoint, event).status_code == 200
    made.refresh_from_db()
    assert (made.status, made.failure_message) == (
        RefundStatus.FAILED,
        "The card was reported lost or stolen.",
    )
    payment.refresh_from_db()
    assert (payment.refunded_amount.amount, balance_of(alice)) == (0, 25)
    told = Message.objects.get(event="refund_failed")
    assert (told.recipient, told.payload["credit_returned"]) == ("billing@badal.example", "$25.00")
    customer = Message.objects.get(event="refund_came_back")
    assert (customer.recipient, customer.payload["credit_returned"]) == (
        alice.contact_email,
        "$25.00",
    )
    assert refund(payment).status == RefundStatus.FAILED  # at Stripe, all of it went back already


def test_a_refund_that_is_pending_at_stripe_takes_the_credit_once_it_succeeds(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    in_dashboard(sandbox, payment)
    [created] = events("refund.created")
    post(endpoint, changed(created, "evt_pending", "refund.created", status="pending"))
    assert (Refund.objects.get().status, balance_of(alice)) == (RefundStatus.PENDING, 25)
    post(endpoint, changed(created, "evt_done", "refund.updated"))
    assert (Refund.objects.get().status, balance_of(alice)) == (RefundStatus.SUCCEEDED, 0)


def test_a_refund_in_the_dashboard_beside_a_pending_one_of_ours_is_recorded_in_the_end(
    alice: Account,
    payment: Transaction,
    endpoint: WebhookEndpoint,
    sandbox: "Sandbox",
    nudged: list[str],
) -> None:
    ours = open_refund(payment, "25")
    in_dashboard(sandbox, payment, 3850)
    post(endpoint, events("refund.created")[0])
    assert nudged == [payment.stripe_payment_intent_id]
    assert reversals.sweep(now=NOW + timedelta(minutes=2)) == 1
    ours.refresh_from_db()
    assert ours.status == RefundStatus.FAILED
    theirs = Refund.objects.get(origin=RefundOrigin.STRIPE)
    assert (theirs.status, balance_of(alice)) == (RefundStatus.SUCCEEDED, Decimal("15.01"))


def test_a_refund_in_another_currency_is_left_to_staff(
    alice: Account, payment: Transaction, endpoint: WebhookEndpoint, sandbox: "Sandbox"
) -> None:
    in_dashboard(sandbox, payment)
    event = events("refund.created")[0]
    event["data"]["object"]["currency"] = "usd"
    assert post(endpoint, event).status_code == 200
    assert not Refund.objects.exists()
    assert not AuditEvent.objects.filter(action="refund_succeeded").exists()


@pytest.mark.parametrize("payment_intent", [None, "pi_of_another_shop"])
def test_a_refund_of_a_payment_that_is_not_ours_is_none_of_our_business(
    payment: Transaction,
    endpoint: WebhookEndpoint,
    sandbox: "Sandbox",
    nudged: list[str],
    payment_intent: str | None,
) -> None:
    in_dashboard(sandbox, payment)
    event = events("refund.created")[0]
    event["data"]["object"].update(payment_intent=payment_intent, metadata=None)
    assert post(endpoint, event).status_code == 200
    assert not Refund.objects.exists()
    assert nudged == ([payment_intent] if payment_intent else [])
