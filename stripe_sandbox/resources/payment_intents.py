"""PaymentIntents: create, confirm, capture, cancel, search."""

from __future__ import annotations

from .. import money, payments
from ..cards import decline
from ..errors import CardError, Json, StripeError
from ..events import emit
from ..lists import page, search
from ..params import (
    ADDRESS,
    PAGE,
    boolean,
    enum,
    hash_of,
    integer,
    merge_metadata,
    off_session,
    text,
)
from ..routing import Route
from ..store import Tx
from . import charges, customers, intents, payment_methods
from .refunds import release

_FIELDS = {
    **intents.COMMON,
    "payment_method_options": intents.card_options(
        setup_future_usage=enum("none", "on_session", "off_session"), moto=boolean
    ),
    "amount": integer,
    "currency": text,
    "receipt_email": text,
    "setup_future_usage": enum("on_session", "off_session"),
    "shipping": hash_of({"name": text, "phone": text, "address": ADDRESS}),
    "statement_descriptor": text,
    "statement_descriptor_suffix": text,
    "transfer_group": text,
    "capture_method": enum("automatic", "automatic_async", "manual"),
}
_CREATE = {
    **_FIELDS,
    **intents.CREATE,
    "off_session": off_session,
    "confirmation_method": enum("automatic", "manual"),
    "error_on_requires_action": boolean,
}
_CONFIRM = {
    **{
        name: _FIELDS[name]
        for name in (
            "payment_method",
            "payment_method_data",
            "payment_method_types",
            "payment_method_options",
            "receipt_email",
            "setup_future_usage",
            "shipping",
            "capture_method",
        )
    },
    "return_url": text,
    "use_stripe_sdk": boolean,
    "off_session": off_session,
    "error_on_requires_action": boolean,
    "mandate_data": intents.CREATE["mandate_data"],
    "client_secret": text,
}
_COPIED = (
    "description",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
    "capture_method",
    "confirmation_method",
)
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def build(tx: Tx, params: Json) -> Json:
    """A stored PaymentIntent, not confirmed."""
    currency = money.check_currency(params["currency"])
    money.check_amount(params["amount"], currency)
    intents.check_types(params)
    intent = tx.new("payment_intent", amount=params["amount"], currency=currency)
    intents.identify(intent)
    for name in _COPIED:
        if params.get(name) is not None:
            intent[name] = params[name]
    if intent["capture_method"] == "automatic" and not params.get("capture_method"):
        intent["capture_method"] = "automatic_async"
    if params.get("customer"):
        intent["customer"] = customers.live(tx, params["customer"])["id"]
    intent["metadata"] = merge_metadata({}, params.get("metadata") or {})
    intent["automatic_payment_methods"] = intents.automatic(params, intent)
    intent["payment_method_types"] = params.get("payment_method_types") or ["card"]
    tx.insert(intent)
    emit(tx, "payment_intent.created", intent)
    return intent


def create(tx: Tx, params: Json) -> Json:
    if params.get("off_session") is not None and not params.get("confirm"):
        raise StripeError(
            "The `off_session` parameter can only be passed in when `confirm` is `true`.",
            param="off_session",
        )
    intent = build(tx, params)
    if params.get("confirm"):
        return _confirm(tx, intent, params)
    method = intents.chosen(tx, params, intent)
    if method:
        payment_methods.check_usable(tx, method, intent["customer"], "PaymentIntent")
        intent.update(payment_method=method["id"], status="requires_confirmation")
        tx.save(intent)
    return intent


def _confirm(tx: Tx, intent: Json, params: Json) -> Json:
    if intent["status"] not in _CONFIRMABLE:
        already = (
            "it has already succeeded after being previously confirmed"
            if intent["status"] in ("succeeded", "requires_capture")
            else f"it has a status of {intent['status']}"
        )
        raise intents.unexpected(
            "payment_intent", intent, f"You cannot confirm this PaymentIntent because {already}."
        )
    intents.check_return_url(tx, intent, params, "PaymentIntent")
    method = intents.chosen(tx, params, intent)
    if method is None:
        raise intents.unexpected(
            "payment_intent",
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You "
            "can either update the PaymentIntent with a payment method and then confirm it "
            "again, or confirm it again directly with a payment method or ConfirmationToken.",
        )
    payment_methods.check_usable(tx, method, intent["customer"], "PaymentIntent")
    for name in ("setup_future_usage", "receipt_email", "shipping", "capture_method"):
        if params.get(name) is not None:
            intent[name] = params[name]
    refuse = params.get("error_on_requires_action")
    away = bool(params.get("off_session"))
    if refuse and not away and payments.needs_challenge(tx, method):
        reason = decline("authentication_required")
        raise CardError(
            reason.message,
            code=reason.code,
            decline_code=reason.decline_code,
            payment_intent=intent,
        )
    return payments.attempt(
        tx, intent, method, off_session=away, return_url=params.get("return_url")
    )


def confirm(tx: Tx, params: Json, object_id: str) -> Json:
    return _confirm(tx, intents.load(tx, "payment_intent", object_id, params), params)


def retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return intents.load(tx, "payment_intent", object_id, params)


def update(tx: Tx, params: Json, object_id: str) -> Json:
    intent = tx.load("payment_intent", object_id, "intent")
    settled = intent["status"] in ("succeeded", "canceled", "requires_capture")
    if settled and set(params) - {"metadata", "description", "receipt_email", "expand"}:
        raise intents.unexpected(
            "payment_intent",
            intent,
            f"This PaymentIntent's parameters could not be updated because it has a status of "
            f"{intent['status']}.",
        )
    if "currency" in params:
        intent["currency"] = money.check_currency(params["currency"])
    if "amount" in params or "currency" in params:
        amount: int = params["amount"] if "amount" in params else intent["amount"]
        money.check_amount(amount, intent["currency"])
        intent["amount"] = amount
    for name in _COPIED:
        if name in params:
            intent[name] = params[name]
    if params.get("customer"):
        intent["customer"] = customers.live(tx, params["customer"])["id"]
    if "metadata" in params:
        intent["metadata"] = merge_metadata(intent["metadata"], params["metadata"])
    if params.get("payment_method") or params.get("payment_method_data"):
        method = intents.chosen(tx, params, intent)
        assert method is not None
        payment_methods.check_usable(tx, method, intent["customer"], "PaymentIntent")
        intent.update(payment_method=method["id"], status="requires_confirmation")
    return tx.save(intent)


def capture(tx: Tx, params: Json, object_id: str) -> Json:
    intent = tx.load("payment_intent", object_id, "intent")
    if intent["status"] != "requires_capture":
        raise intents.unexpected(
            "payment_intent",
            intent,
            "This PaymentIntent could not be captured because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses may "
            "be captured: requires_capture.",
        )
    held: int = intent["amount_capturable"]
    amount: int = params.get("amount_to_capture", held)
    if not 0 < amount <= held:
        raise StripeError(
            f"The amount_to_capture must be greater than zero and less than or equal to the "
            f"amount you originally authorized ({intent['amount_capturable']}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    money.check_step(amount, intent["currency"], "amount_to_capture")
    charge = tx.load("charge", intent["latest_charge"])
    charges.settle(tx, charge, amount)
    if "metadata" in params:
        intent["metadata"] = merge_metadata(intent["metadata"], params["metadata"])
    tx.save(charge)
    intent.update(status="succeeded", amount_capturable=0, amount_received=amount)
    tx.save(intent)
    emit(tx, "charge.captured", charge)
    emit(tx, "payment_intent.succeeded", intent)
    return intent


def cancel_now(tx: Tx, intent: Json, reason: str | None) -> Json:
    """Cancel, and let go of what was held."""
    if intent["status"] == "requires_capture":
        release(tx, tx.load("charge", intent["latest_charge"]))
    intent.update(
        status="canceled",
        amount_capturable=0,
        canceled_at=tx.now,
        cancellation_reason=reason,
        next_action=None,
    )
    tx.save(intent)
    emit(tx, "payment_intent.canceled", intent)
    return intent


def cancel(tx: Tx, params: Json, object_id: str) -> Json:
    intent = tx.load("payment_intent", object_id, "intent")
    if intent["status"] not in (*_CONFIRMABLE, "requires_capture"):
        raise intents.unexpected(
            "payment_intent",
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses may "
            "be canceled: requires_payment_method, requires_capture, requires_confirmation, "
            "requires_action, processing.",
        )
    return cancel_now(tx, intent, params.get("cancellation_reason"))


def list_all(tx: Tx, params: Json) -> Json:
    customer = params.get("customer")
    return page(tx, "payment_intent", "/v1/payment_intents", params, customer=customer)


def find(tx: Tx, params: Json) -> Json:
    return search(tx, "payment_intent", "/v1/payment_intents/search", params)


ROUTES = [
    Route("POST", "/v1/payment_intents", create, _CREATE, ("amount", "currency")),
    Route("GET", "/v1/payment_intents", list_all, {**PAGE, "customer": text}),
    Route(
        "GET",
        "/v1/payment_intents/search",
        find,
        {"query": text, "limit": integer, "page": text},
        ("query",),
    ),
    Route("GET", "/v1/payment_intents/<a>", retrieve, {"client_secret": text}, public=True),
    Route("POST", "/v1/payment_intents/<a>", update, _FIELDS),
    Route("POST", "/v1/payment_intents/<a>/confirm", confirm, _CONFIRM, public=True),
    Route(
        "POST",
        "/v1/payment_intents/<a>/capture",
        capture,
        {"amount_to_capture": integer, "metadata": intents.COMMON["metadata"]},
    ),
    Route(
        "POST",
        "/v1/payment_intents/<a>/cancel",
        cancel,
        {"cancellation_reason": enum(*intents.CANCELLATION_REASONS)},
    ),
]
