"""Disputes for the tests: what card holders and banks do, at the sandbox Stripe."""

from typing import TYPE_CHECKING, Any

from djstripe.models import WebhookEndpoint

from invoices.models import Transaction
from invoices.tests.refunders import charge_of
from invoices.tests.stripe_events import events, post

if TYPE_CHECKING:
    from conftest import Sandbox

KINDS = ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")


def dispute(sandbox: "Sandbox", payment: Transaction, **how: Any) -> str:
    """Have the card holder dispute a payment; return the dispute's id."""
    payment.refresh_from_db()
    charge = charge_of(payment.stripe_payment_intent_id)
    body = {"reason": "product_not_received", **how}
    return str(sandbox.control(f"charges/{charge}/dispute", body)["id"])


def decide(sandbox: "Sandbox", dispute_id: str, how: str) -> None:
    """Have the bank decide: `win`, `lose`, `withdraw` or `escalate`."""
    sandbox.control(f"disputes/{dispute_id}/{how}")


def dispute_events() -> list[dict[str, Any]]:
    """Return what Stripe tells of disputes, oldest first."""
    told = [event for kind in KINDS for event in events(f"charge.dispute.{kind}")]
    # Events of one second have no order of their own: the order in which they are told is.
    return sorted(told, key=lambda event: (event["created"], _place(event)))


def _place(event: dict[str, Any]) -> int:
    order = ("created", "funds_withdrawn", "updated", "closed", "funds_reinstated")
    return order.index(event["type"].removeprefix("charge.dispute."))


def tell(endpoint: WebhookEndpoint, *told: dict[str, Any]) -> None:
    """Deliver events, in this order."""
    for event in told:
        assert post(endpoint, event).status_code == 200
