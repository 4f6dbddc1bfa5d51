"""Refunds: how much, when they are final, and what a failed one gives back."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from .harness import Sandbox, wait_for
from .test_payments import CHARGE


def pay(client: Any, method: str = "pm_card_visa") -> Any:
    return client.payment_intents.create({**CHARGE, "payment_method": method})


def balance(client: Any) -> int:
    """What is left of all that moved, fees aside."""
    entries = client.balance_transactions.list({"limit": 100}).auto_paging_iter()
    return sum(entry.amount for entry in entries)


def test_refunds_never_exceed_the_payment(sandbox: Sandbox, client: Any) -> None:
    paid = pay(client)
    with pytest.raises(stripe.InvalidRequestError):
        client.refunds.create({"payment_intent": paid.id, "amount": 1005})
    refund = client.refunds.create({"payment_intent": paid.id, "amount": 1000})
    assert (refund.status, refund.charge) == ("succeeded", paid.latest_charge)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.refunds.create({"charge": paid.latest_charge, "amount": 2860})
    assert client.refunds.create({"charge": paid.latest_charge}).amount == 2850
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.refunds.create({"charge": paid.latest_charge})
    assert caught.value.code == "charge_already_refunded"
    charge = client.charges.retrieve(paid.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (3850, True)
    assert len(charge.refunds.data) == 2
    for whose in ({"payment_intent": paid.id}, {"charge": paid.latest_charge}):
        assert len(client.refunds.list(whose).data) == 2


def test_a_refund_that_fails_later_gives_the_money_back(sandbox: Sandbox, client: Any) -> None:
    """The card was closed meanwhile: the customer has nothing, and may be refunded again."""
    paid = pay(client)
    refund = client.refunds.create({"payment_intent": paid.id, "amount": 1000})
    failed = sandbox.control(f"refunds/{refund.id}/fail", {"reason": "lost_or_stolen_card"})
    assert (failed["status"], failed["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert balance(client) == 3850
    charge = client.charges.retrieve(paid.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert sandbox.event_types(refund.id) == [
        "refund.created",
        "refund.updated",
        "charge.refund.updated",
        "refund.failed",
    ]
    assert client.refunds.create({"payment_intent": paid.id}).amount == 3850
    again = sandbox.control(f"refunds/{refund.id}/fail")
    assert "is failed" in again["error"]["message"]


def test_a_refund_may_take_its_time(sandbox: Sandbox, client: Any) -> None:
    paid = pay(client, "pm_card_pendingRefund")
    refund = client.refunds.create({"payment_intent": paid.id})
    assert refund.status == "pending"
    assert sandbox.control(f"refunds/{refund.id}/succeed")["status"] == "succeeded"
    assert sandbox.event_types(refund.id)[1:] == ["refund.updated", "charge.refund.updated"]
    assert "error" in sandbox.control(f"refunds/{refund.id}/succeed")


def test_the_two_cards_settle_their_refunds_by_themselves(sandbox: Sandbox, client: Any) -> None:
    expected = {"pm_card_pendingRefund": "succeeded", "pm_card_refundFail": "failed"}
    made = {
        method: client.refunds.create({"payment_intent": pay(client, method).id})
        for method in expected
    }
    assert [refund.status for refund in made.values()] == ["pending", "succeeded"]
    wait_for(
        lambda: (
            {method: client.refunds.retrieve(one.id).status for method, one in made.items()}
            == expected
        )
    )


def test_a_refund_made_in_the_dashboard_says_so_by_event(sandbox: Sandbox, client: Any) -> None:
    paid = pay(client)
    made = sandbox.control(f"charges/{paid.latest_charge}/refund", {"amount": 1000})
    assert made["amount"] == 1000
    [event] = client.events.list({"type": "charge.refunded"}).data
    assert event.data.object.amount_refunded == 1000
