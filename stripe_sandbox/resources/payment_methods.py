"""PaymentMethods: made from a test card, attached to customers, detached for good."""

from __future__ import annotations

from .. import cards
from ..errors import CardError, Json, ParameterError, StripeError
from ..events import emit
from ..lists import page
from ..params import (
    BILLING_DETAILS,
    CURSOR,
    Schema,
    enum,
    hash_of,
    integer,
    mapping,
    merge_metadata,
    text,
)
from ..routing import Route
from ..store import Tx

CARD_DATA: Schema = {
    "number": text,
    "exp_month": integer,
    "exp_year": integer,
    "cvc": text,
    "token": text,
}
CARD = hash_of(CARD_DATA)
ALLOW_REDISPLAY = enum("always", "limited", "unspecified")
DATA = {
    "type": enum("card"),
    "card": CARD,
    "billing_details": BILLING_DETAILS,
    "metadata": mapping,
    "allow_redisplay": ALLOW_REDISPLAY,
}
PAYMENT_METHOD_DATA = hash_of(DATA, ("type",))


def _make(tx: Tx, card: cards.SandboxCard, month: int, year: int, cvc: str | None) -> Json:
    method = tx.new("payment_method")
    method["card"].update(
        brand=card.brand,
        display_brand=card.brand,
        exp_month=month,
        exp_year=year,
        fingerprint=card.fingerprint,
        funding=card.funding,
        last4=card.number[-4:],
        networks={"available": [card.brand], "preferred": None},
    )
    method["card"]["checks"]["cvc_check"] = "unchecked" if cvc else None
    tx.insert(method, {"number": card.number})
    return method


def from_magic(tx: Tx, name: str) -> Json | None:
    """A fresh PaymentMethod for `pm_card_visa` and the like."""
    card = cards.magic(name)
    if card is None:
        return None
    return _make(tx, card, tx.today.month, tx.today.year + 1, "123")


def from_data(tx: Tx, data: Json) -> Json:
    """A PaymentMethod from `payment_method_data` or the creating call."""
    given = data.get("card")
    if not given:
        raise ParameterError(
            "Missing required param: card.", code="parameter_missing", param="card"
        )
    if given.get("token"):
        method = from_magic(tx, given["token"])
        if method is None:
            raise StripeError(f"No such token: '{given['token']}'", code="resource_missing")
    else:
        for name in ("number", "exp_month", "exp_year"):
            if given.get(name) is None:
                raise ParameterError(
                    f"Missing required param: card[{name}].",
                    code="parameter_missing",
                    param=f"card[{name}]",
                )
        card = cards.find(given["number"])
        today = tx.today.year * 12 + tx.today.month
        cvc = given.get("cvc")
        year = cards.check_details(card, given["exp_month"], given["exp_year"], cvc, today)
        method = _make(tx, card, given["exp_month"], year, cvc)
    _describe(method, data)
    return tx.save(method)


def _describe(method: Json, data: Json) -> None:
    details = data.get("billing_details") or {}
    for name, value in details.items():
        if name == "address":
            method["billing_details"]["address"].update(value or {})
        else:
            method["billing_details"][name] = value
    if "metadata" in data:
        method["metadata"] = merge_metadata(method["metadata"], data["metadata"])
    if data.get("allow_redisplay"):
        method["allow_redisplay"] = data["allow_redisplay"]


def resolve(tx: Tx, name: str, param: str = "payment_method") -> Json:
    """The PaymentMethod with this id; magic ids make a new one."""
    return from_magic(tx, name) or tx.load("payment_method", name, param)


def check_usable(tx: Tx, method: Json, customer: str | None, noun: str) -> None:
    """Stripe's rules on whose card may be used for what."""
    private = tx.private(method["id"])
    owner = method["customer"]
    if owner and customer is None:
        raise StripeError(
            f"The PaymentMethod {method['id']} belongs to the Customer {owner}. Please include "
            f"the Customer in the `customer` parameter on the {noun}.",
            param="payment_method",
        )
    if owner and owner != customer:
        raise StripeError(
            f"The PaymentMethod {method['id']} does not belong to the Customer {customer}. "
            "Please use a PaymentMethod that belongs to this Customer.",
            param="payment_method",
        )
    if private.get("detached") or (private.get("used") and not owner):
        raise StripeError(
            f"The provided PaymentMethod was previously used with a {noun} without Customer "
            "attachment, shared with a connected account without Customer attachment, or was "
            "detached from a Customer. It may not be used again. To use a PaymentMethod multiple "
            "times, you must attach it to a Customer first.",
            param="payment_method",
        )


def setup_decline(tx: Tx, method: Json) -> cards.Decline | None:
    """Would verifying this card (attach, SetupIntent) be refused?"""
    private = tx.private(method["id"])
    code = private.get("behaviour") or cards.CARDS[private["number"]].setup
    return cards.decline(code) if code else None


def attach_now(tx: Tx, method: Json, customer: str) -> Json:
    """Give the card to the customer; doing it again changes nothing."""
    if method["customer"] == customer:
        return method
    method["customer"] = customer
    if method["card"]["checks"]["cvc_check"] == "unchecked":
        method["card"]["checks"]["cvc_check"] = "pass"
    tx.save(method)
    emit(tx, "payment_method.attached", method)
    return method


def create(tx: Tx, params: Json) -> Json:
    return from_data(tx, params)


def retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return resolve(tx, object_id)


def update(tx: Tx, params: Json, object_id: str) -> Json:
    method = tx.load("payment_method", object_id, "payment_method")
    if not method["customer"]:
        raise StripeError(
            "You must save this PaymentMethod to a customer before you can update it.",
            param="payment_method",
        )
    before = {name: method["card"][name] for name in params.get("card") or {}}
    method["card"].update(params.get("card") or {})
    _describe(method, {name: value for name, value in params.items() if name != "card"})
    tx.save(method)
    emit(tx, "payment_method.updated", method, {"card": before} if before else {})
    return method


def attach(tx: Tx, params: Json, object_id: str) -> Json:
    customer = tx.load("customer", params["customer"], "customer")
    method = resolve(tx, object_id)
    if method["customer"] and method["customer"] != customer["id"]:
        raise StripeError(
            "The payment method you provided has already been attached to a customer.",
            param="payment_method",
        )
    check_usable(tx, method, customer["id"], "PaymentIntent")
    refused = setup_decline(tx, method)
    if refused:
        raise CardError(refused.message, code=refused.code, decline_code=refused.decline_code)
    return attach_now(tx, method, customer["id"])


def detach(tx: Tx, params: Json, object_id: str) -> Json:
    method = tx.load("payment_method", object_id, "payment_method")
    owner = method["customer"]
    if not owner:
        raise StripeError(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible.",
            param="payment_method",
        )
    method["customer"] = None
    tx.save(method)
    tx.remember(object_id, detached=True)
    emit(tx, "payment_method.detached", method, {"customer": owner})
    customer = tx.get(owner)
    if customer and customer["object"] == "customer" and not customer.get("deleted"):
        settings = customer["invoice_settings"]
        if settings["default_payment_method"] == object_id:
            settings["default_payment_method"] = None
            tx.save(customer)
            change = {"invoice_settings": {"default_payment_method": object_id}}
            emit(tx, "customer.updated", customer, change)
    return method


def list_all(tx: Tx, params: Json) -> Json:
    owner = params.get("customer")
    if owner:
        tx.load("customer", owner, "customer")
    return page(
        tx,
        "payment_method",
        "/v1/payment_methods",
        params,
        customer=owner,
        type=params.get("type"),
    )


ROUTES = [
    Route("POST", "/v1/payment_methods", create, DATA, ("type",), public=True),
    Route("GET", "/v1/payment_methods", list_all, {**CURSOR, "customer": text, "type": text}),
    Route("GET", "/v1/payment_methods/<a>", retrieve),
    Route(
        "POST",
        "/v1/payment_methods/<a>",
        update,
        {
            "card": hash_of({"exp_month": integer, "exp_year": integer}),
            "billing_details": BILLING_DETAILS,
            "metadata": mapping,
            "allow_redisplay": ALLOW_REDISPLAY,
        },
    ),
    Route("POST", "/v1/payment_methods/<a>/attach", attach, {"customer": text}, ("customer",)),
    Route("POST", "/v1/payment_methods/<a>/detach", detach),
]
