"""What the sandbox Stripe knows, asked over its API, and trouble on the way to it."""

from typing import TYPE_CHECKING, Any

from accounts import gateway

if TYPE_CHECKING:
    from conftest import Sandbox

#: The SDK asks twice more under the same key; only after that is an answer lost.
TRIES = 3


def payments(**metadata: str) -> list[Any]:
    """Return every PaymentIntent at Stripe whose metadata has all of this."""
    listed = gateway.client().v1.payment_intents.list({"limit": 100}).data
    return [
        intent
        for intent in listed
        if all(intent.to_dict()["metadata"].get(key) == value for key, value in metadata.items())
    ]


def held_payments() -> list[Any]:
    """Return the holds that nobody voided."""
    return [intent for intent in payments() if intent.status == "requires_capture"]


def lose_answers(sandbox: "Sandbox", path: str = "/v1/payment_intents") -> None:
    """Have Stripe act on the next request to `path` and the answer get lost on the way."""
    sandbox.fail_next(action="drop_connection", count=TRIES, match={"path": path})


def refuse_service(sandbox: "Sandbox", status: int, path: str = "/v1/payment_intents") -> None:
    """Have Stripe answer the next request to `path` with `status`, doing nothing."""
    count = TRIES if status == 429 or status >= 500 else 1
    sandbox.fail_next(action="status", status=status, count=count, match={"path": path})


def refuse_question(sandbox: "Sandbox", path: str) -> None:
    """Have Stripe refuse the next question at `path`, as of a payment that it does not know."""
    sandbox.fail_next(action="status", status=404, match={"path": path, "method": "GET"})


def decline_from_now_on(sandbox: "Sandbox", card: Any, code: str | None) -> None:
    """Have the bank decline a saved card, or with None accept it again."""
    sandbox.control(
        f"payment_methods/{card.stripe_payment_method_id}/behaviour", {"decline_code": code}
    )


def answer_the_bank(sandbox: "Sandbox", payment_intent_id: str, *, passed: bool = True) -> None:
    """Confirm a payment with its saved card as the browser does, and answer the bank's question."""
    intents = gateway.client().v1.payment_intents
    intent = intents.retrieve(payment_intent_id).to_dict()
    if intent["status"] != "requires_action":
        method = intent["last_payment_error"]["payment_method"]["id"]
        intents.confirm(payment_intent_id, {"payment_method": method, "use_stripe_sdk": True})
    sandbox.control(f"payment_intents/{payment_intent_id}/authenticate", {"passed": passed})
