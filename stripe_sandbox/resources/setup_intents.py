"""SetupIntents: verify a card and save it for later."""

from __future__ import annotations

from .. import cards, payments
from ..errors import CardError, Json, StripeError
from ..events import emit
from ..faults import FAULTS
from ..lists import page
from ..params import PAGE, boolean, enum, merge_metadata, text
from ..routing import Route
from ..store import Tx
from . import customers, intents, payment_methods

_FIELDS = {**intents.COMMON, "payment_method_options": intents.card_options(moto=boolean)}
_CREATE = {**_FIELDS, **intents.CREATE, "usage": enum("on_session", "off_session")}
_CONFIRM = {
    **{
        name: _FIELDS[name]
        for name in ("payment_method", "payment_method_data", "payment_method_options")
    },
    **{name: intents.CREATE[name] for name in ("return_url", "use_stripe_sdk", "mandate_data")},
    "client_secret": text,
}
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def create(tx: Tx, params: Json) -> Json:
    intents.check_types(params)
    intent = tx.new("setup_intent")
    intents.identify(intent)
    if params.get("customer"):
        intent["customer"] = customers.live(tx, params["customer"])["id"]
    intent.update(
        description=params.get("description"),
        usage=params.get("usage") or "off_session",
        metadata=merge_metadata({}, params.get("metadata") or {}),
        automatic_payment_methods=intents.automatic(params, intent),
        payment_method_types=params.get("payment_method_types") or ["card"],
    )
    tx.insert(intent)
    emit(tx, "setup_intent.created", intent)
    if params.get("confirm"):
        return _confirm(tx, intent, params)
    method = intents.chosen(tx, params, intent)
    if method:
        payment_methods.check_usable(tx, method, intent["customer"], "SetupIntent")
        intent.update(payment_method=method["id"], status="requires_confirmation")
        tx.save(intent)
    return intent


def _confirm(tx: Tx, intent: Json, params: Json) -> Json:
    if intent["status"] not in _CONFIRMABLE:
        raise intents.unexpected(
            "setup_intent",
            intent,
            "You cannot confirm this SetupIntent because it has "
            + (
                "already succeeded."
                if intent["status"] == "succeeded"
                else f"a status of {intent['status']}."
            ),
        )
    intents.check_return_url(tx, intent, params, "SetupIntent")
    method = intents.chosen(tx, params, intent)
    if method is None:
        raise intents.unexpected(
            "setup_intent",
            intent,
            "You cannot confirm this SetupIntent because it's missing a payment method. Update "
            "the SetupIntent with a payment method and then confirm it again.",
        )
    payment_methods.check_usable(tx, method, intent["customer"], "SetupIntent")
    intent.update(payment_method=method["id"], last_setup_error=None)
    forced = FAULTS.take("decline", tx.path)
    refused = cards.decline(forced.decline_code) if forced else None
    refused = refused or payment_methods.setup_decline(tx, method)
    if refused:
        raise _failed(tx, intent, method, refused)
    rule = cards.CARDS[tx.private(method["id"])["number"]].authentication
    if rule in ("always", "unless_set_up"):
        tx.remember(intent["id"], return_url=params.get("return_url"))
        intent.update(
            status="requires_action",
            next_action=payments.challenge(tx, intent, params.get("return_url")),
        )
        tx.save(intent)
        emit(tx, "setup_intent.requires_action", intent)
        return intent
    return _succeed(tx, intent, method)


def _failed(tx: Tx, intent: Json, method: Json, refused: cards.Decline) -> CardError:
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        last_setup_error=refused.error(method),
    )
    tx.save(intent)
    emit(tx, "setup_intent.setup_failed", intent)
    return CardError(
        refused.message,
        code=refused.code,
        decline_code=refused.decline_code,
        setup_intent=intent,
        payment_method=method,
    )


def _succeed(tx: Tx, intent: Json, method: Json) -> Json:
    intent.update(status="succeeded", next_action=None, last_setup_error=None)
    if intent["customer"]:
        payment_methods.attach_now(tx, method, intent["customer"])
    tx.remember(method["id"], authenticated=True, used=True)
    tx.save(intent)
    emit(tx, "setup_intent.succeeded", intent)
    return intent


def challenge_passed(tx: Tx, intent: Json) -> Json:
    """The card holder proved themselves."""
    return _succeed(tx, intent, tx.load("payment_method", intent["payment_method"]))


def challenge_failed(tx: Tx, intent: Json) -> Json:
    """The card holder did not pass; the card is not saved."""
    error = {
        "code": "setup_intent_authentication_failure",
        "doc_url": "https://stripe.com/docs/error-codes/setup-intent-authentication-failure",
        "message": payments.AUTHENTICATION_FAILED,
        "payment_method": tx.get(intent["payment_method"]),
        "type": "invalid_request_error",
    }
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_setup_error=error,
    )
    tx.save(intent)
    emit(tx, "setup_intent.setup_failed", intent)
    return intent


def confirm(tx: Tx, params: Json, object_id: str) -> Json:
    return _confirm(tx, intents.load(tx, "setup_intent", object_id, params), params)


def retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return intents.load(tx, "setup_intent", object_id, params)


def update(tx: Tx, params: Json, object_id: str) -> Json:
    intent = tx.load("setup_intent", object_id, "intent")
    if params.get("customer"):
        intent["customer"] = customers.live(tx, params["customer"])["id"]
    if "description" in params:
        intent["description"] = params["description"]
    if "metadata" in params:
        intent["metadata"] = merge_metadata(intent["metadata"], params["metadata"])
    if params.get("payment_method") or params.get("payment_method_data"):
        method = intents.chosen(tx, params, intent)
        assert method is not None
        intent.update(payment_method=method["id"], status="requires_confirmation")
    return tx.save(intent)


def cancel(tx: Tx, params: Json, object_id: str) -> Json:
    intent = tx.load("setup_intent", object_id, "intent")
    if intent["status"] not in _CONFIRMABLE:
        raise StripeError(
            f"You cannot cancel this SetupIntent because it has a status of {intent['status']}. "
            "Only a SetupIntent with one of the following statuses may be canceled: "
            "requires_payment_method, requires_confirmation, requires_action.",
            code="setup_intent_unexpected_state",
            setup_intent=intent,
        )
    intent.update(
        status="canceled", next_action=None, cancellation_reason=params.get("cancellation_reason")
    )
    tx.save(intent)
    emit(tx, "setup_intent.canceled", intent)
    return intent


def list_all(tx: Tx, params: Json) -> Json:
    customer, method = params.get("customer"), params.get("payment_method")
    fields = {"payment_method": method} if method else {}
    return page(tx, "setup_intent", "/v1/setup_intents", params, fields, customer=customer)


ROUTES = [
    Route("POST", "/v1/setup_intents", create, _CREATE),
    Route("GET", "/v1/setup_intents", list_all, {**PAGE, "customer": text, "payment_method": text}),
    Route("GET", "/v1/setup_intents/<a>", retrieve, {"client_secret": text}, public=True),
    Route("POST", "/v1/setup_intents/<a>", update, _FIELDS),
    Route("POST", "/v1/setup_intents/<a>/confirm", confirm, _CONFIRM, public=True),
    Route(
        "POST",
        "/v1/setup_intents/<a>/cancel",
        cancel,
        {"cancellation_reason": enum("abandoned", "requested_by_customer", "duplicate")},
    ),
]
