"""Charging a card for a PaymentIntent: the one place where money is taken.

API calls, the browser's challenge, the payment page and the control API all come through here.
"""

from __future__ import annotations

from . import cards
from .errors import CardError, Json
from .events import emit
from .faults import FAULTS
from .resources import charges, disputes, payment_methods
from .store import Tx

AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data "
    "or a new PaymentMethod to attempt to fulfill this intent again."
)


def needs_challenge(tx: Tx, method: Json) -> bool:
    """Must the card holder prove who they are, given what they did before?"""
    private = tx.private(method["id"])
    rule = cards.CARDS[private["number"]].authentication
    return rule == "always" or (rule == "unless_set_up" and not private.get("authenticated"))


def challenge(tx: Tx, intent: Json, return_url: str | None) -> Json:
    """The `next_action` that sends the customer to the 3-D Secure page."""
    url = f"{tx.public_url}/3ds/{intent['id']}?client_secret={intent['client_secret']}"
    if return_url:
        return {
            "type": "redirect_to_url",
            "redirect_to_url": {"url": f"{url}&redirect=1", "return_url": return_url},
        }
    return {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
    }


def attempt(
    tx: Tx,
    intent: Json,
    method: Json,
    *,
    off_session: bool,
    return_url: str | None = None,
    authenticated: bool = False,
) -> Json:
    """Try to take the money. A decline is raised after its traces are written."""
    tx.remember(intent["id"], method=method["id"], return_url=return_url)
    intent["payment_method"] = method["id"]
    intent["last_payment_error"] = None
    forced = FAULTS.take("decline", tx.path)
    private = tx.private(method["id"])
    code = private.get("behaviour") or (forced.decline_code if forced else None)
    if code is None and not authenticated and needs_challenge(tx, method):
        if off_session:
            code = "authentication_required"
        else:
            intent.update(status="requires_action", next_action=challenge(tx, intent, return_url))
            tx.save(intent)
            emit(tx, "payment_intent.requires_action", intent)
            return intent
    code = code or cards.CARDS[private["number"]].charge
    charge = charges.open_charge(tx, intent, method, authenticated)
    intent.update(latest_charge=charge["id"], next_action=None)
    if code:
        raise _declined(tx, intent, charge, method, cards.decline(code))
    return _paid(tx, intent, charge, method, authenticated)


def _declined(
    tx: Tx, intent: Json, charge: Json, method: Json, refused: cards.Decline
) -> CardError:
    charges.fail(tx, charge, refused)
    error = {**refused.error(method), "charge": charge["id"]}
    intent.update(status="requires_payment_method", payment_method=None, last_payment_error=error)
    tx.save(intent)
    emit(tx, "payment_intent.payment_failed", intent)
    return CardError(
        refused.message,
        code=refused.code,
        decline_code=refused.decline_code,
        charge=charge["id"],
        payment_intent=intent,
        payment_method=method,
    )


def _paid(tx: Tx, intent: Json, charge: Json, method: Json, authenticated: bool) -> Json:
    capture = intent["capture_method"] != "manual"
    forced = FAULTS.take("capture", tx.path) if capture else None
    amount: int = forced.amount if forced else intent["amount"]
    charges.succeed(tx, charge, amount if capture else None)
    memory: Json = {"used": True}
    if intent["setup_future_usage"] and intent["customer"]:
        payment_methods.attach_now(tx, method, intent["customer"])
        memory["authenticated"] = authenticated or tx.private(method["id"]).get("authenticated")
    tx.remember(method["id"], **memory)
    # Captured asynchronously, the balance transaction follows in an event of its own.
    late = intent["capture_method"] == "automatic_async"
    emit(tx, "charge.succeeded", {**charge, "balance_transaction": None} if late else charge)
    if capture:
        intent.update(status="succeeded", amount_received=amount)
        tx.save(intent)
        emit(tx, "payment_intent.succeeded", intent)
        if late:
            emit(tx, "charge.updated", charge, {"balance_transaction": None})
        card = cards.CARDS[tx.private(method["id"])["number"]]
        if card.dispute:
            disputes.open_dispute(tx, charge, card.dispute, inquiry=card.inquiry)
    else:
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
        tx.save(intent)
        emit(tx, "payment_intent.amount_capturable_updated", intent)
    return intent


def challenge_failed(tx: Tx, intent: Json) -> Json:
    """The card holder did not pass: back to choosing a card, nothing charged."""
    method = tx.get(intent["payment_method"])
    error = {
        "code": "payment_intent_authentication_failure",
        "doc_url": "https://stripe.com/docs/error-codes/payment-intent-authentication-failure",
        "message": AUTHENTICATION_FAILED,
        "payment_method": method,
        "type": "invalid_request_error",
    }
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_payment_error=error,
    )
    tx.save(intent)
    emit(tx, "payment_intent.payment_failed", intent)
    return intent


def challenge_passed(tx: Tx, intent: Json) -> Json:
    """The card holder proved themselves: charge now. The bank may still decline."""
    method = tx.load("payment_method", intent["payment_method"])
    return attempt(tx, intent, method, off_session=False, authenticated=True)
