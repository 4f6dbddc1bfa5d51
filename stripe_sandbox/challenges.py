"""The 3-D Secure challenge: what happens after its buttons, whoever pressed them."""

from __future__ import annotations

from . import payments
from .errors import Json, StripeError
from .resources import checkout, intents, setup_intents
from .store import Tx


def finish(tx: Tx, intent_id: str, params: Json, passed: bool) -> Json:
    """Carry on where the confirmation stopped."""
    kind = "setup_intent" if intent_id.startswith("seti_") else "payment_intent"
    intent = intents.load(tx, kind, intent_id, params)
    if intent["status"] != "requires_action":
        raise StripeError(
            f"This intent is {intent['status']}; there is nothing to authenticate.",
            code=f"{kind}_unexpected_state",
        )
    if kind == "setup_intent":
        follow = setup_intents.challenge_passed if passed else setup_intents.challenge_failed
        return follow(tx, intent)
    if not passed:
        return payments.challenge_failed(tx, intent)
    session_id = tx.private(intent_id).get("session")
    if session_id and checkout.open_session(tx, session_id)["status"] != "open":
        raise StripeError("This Checkout Session is no longer open.")
    paid = payments.challenge_passed(tx, intent)
    if session_id:
        checkout.complete(tx, tx.load("checkout.session", session_id), paid)
    return paid
