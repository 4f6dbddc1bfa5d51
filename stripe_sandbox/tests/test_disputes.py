"""Disputes: opened, answered, won, lost, withdrawn; and inquiries, which move no money."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from .harness import Sandbox
from .test_payments import CHARGE

OPENED = ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


def paid_charge(client: Any, method: str = "pm_card_visa") -> str:
    return str(client.payment_intents.create({**CHARGE, "payment_method": method}).latest_charge)


def moved(client: Any, dispute_id: str) -> int:
    """What the dispute has taken from the balance or given back, in all."""
    dispute = client.disputes.retrieve(dispute_id)
    return sum(entry.amount for entry in dispute.balance_transactions)


@pytest.mark.parametrize(
    ("outcome", "status", "left", "events"),
    [
        ("lose", "lost", -3850, ["charge.dispute.closed"]),
        ("win", "won", 0, ["charge.dispute.closed", "charge.dispute.funds_reinstated"]),
        (
            "withdraw",
            "won",
            0,
            [
                "charge.dispute.updated",
                "charge.dispute.closed",
                "charge.dispute.funds_reinstated",
            ],
        ),
    ],
)
def test_a_dispute_takes_the_money_and_a_win_brings_it_back(
    sandbox: Sandbox, client: Any, outcome: str, status: str, left: int, events: list[str]
) -> None:
    charge = paid_charge(client)
    dispute = sandbox.control(f"charges/{charge}/dispute")
    assert (dispute["status"], dispute["amount"]) == ("needs_response", 3850)
    assert client.charges.retrieve(charge).disputed
    assert moved(client, dispute["id"]) == -3850
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.refunds.create({"charge": charge})
    assert caught.value.code == "charge_disputed"
    sandbox.control(f"disputes/{dispute['id']}/{outcome}")
    assert client.disputes.retrieve(dispute["id"]).status == status
    assert moved(client, dispute["id"]) == left
    assert sandbox.event_types(dispute["id"]) == [*OPENED, *events]
    again = sandbox.control(f"disputes/{dispute['id']}/win")
    assert "already closed" in again["error"]["message"]


def test_part_of_a_payment_may_be_disputed(sandbox: Sandbox, client: Any) -> None:
    charge = paid_charge(client)
    assert "error" in sandbox.control(f"charges/{charge}/dispute", {"amount": 3860})
    dispute = sandbox.control(f"charges/{charge}/dispute", {"amount": 1000})
    assert moved(client, dispute["id"]) == -1000


def test_evidence_puts_it_under_review_and_magic_words_decide(
    sandbox: Sandbox, client: Any
) -> None:
    dispute = sandbox.control(f"charges/{paid_charge(client)}/dispute")["id"]
    answered = client.disputes.update(dispute, {"evidence": {"customer_name": "Alice"}})
    assert answered.status == "under_review"
    [event] = client.events.list({"type": "charge.dispute.updated"}).data
    assert event.data.previous_attributes["status"] == "needs_response"
    won = client.disputes.update(dispute, {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert won.status == "won"


def test_an_inquiry_moves_no_money_and_may_be_refunded(sandbox: Sandbox, client: Any) -> None:
    charge = paid_charge(client, "pm_card_createDisputeInquiry")
    [inquiry] = client.disputes.list({"charge": charge}).data
    assert (inquiry.status, inquiry.is_charge_refundable) == ("warning_needs_response", True)
    assert moved(client, inquiry.id) == 0
    client.refunds.create({"charge": charge})
    assert client.disputes.retrieve(inquiry.id).status == "warning_closed"
    assert sandbox.event_types(inquiry.id) == ["charge.dispute.created", "charge.dispute.closed"]


def test_a_withdrawn_inquiry_is_closed_and_an_escalated_one_takes_the_money(
    sandbox: Sandbox, client: Any
) -> None:
    first = sandbox.control(f"charges/{paid_charge(client)}/dispute", {"inquiry": True})["id"]
    assert sandbox.control(f"disputes/{first}/withdraw")["status"] == "warning_closed"
    assert moved(client, first) == 0

    second = sandbox.control(f"charges/{paid_charge(client)}/dispute", {"inquiry": True})["id"]
    assert sandbox.control(f"disputes/{second}/escalate")["status"] == "needs_response"
    assert moved(client, second) == -3850
    assert sandbox.event_types(second)[1:] == [
        "charge.dispute.updated",
        "charge.dispute.funds_withdrawn",
    ]
    assert sandbox.control(f"disputes/{second}/lose")["status"] == "lost"


def test_the_dispute_card_is_disputed_after_success(client: Any) -> None:
    charge = paid_charge(client, "pm_card_createDispute")
    disputes = client.disputes.list({"charge": charge}).data
    assert [one.reason for one in disputes] == ["fraudulent"]


def test_an_unknown_outcome_is_told(sandbox: Sandbox, client: Any) -> None:
    dispute = sandbox.control(f"charges/{paid_charge(client)}/dispute")["id"]
    assert "no such outcome" in sandbox.control(f"disputes/{dispute}/settle")["error"]["message"]
