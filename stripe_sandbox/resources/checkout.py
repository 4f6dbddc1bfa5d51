"""Checkout Sessions: a payment page for one basket, paid at most once."""

from __future__ import annotations

from typing import Any

from .. import money, payments
from ..errors import Json, StripeError
from ..events import emit
from ..lists import page
from ..params import (
    CURSOR,
    PAGE,
    boolean,
    enum,
    hash_of,
    integer,
    list_of,
    mapping,
    merge_metadata,
    text,
)
from ..routing import Route
from ..store import Tx, random_text
from . import customers, intents, payment_intents, payment_methods

_DAY = 24 * 3600
_HALF_HOUR = 1800
_PRODUCT = hash_of(
    {
        "name": text,
        "description": text,
        "images": list_of(text),
        "metadata": mapping,
        "tax_code": text,
    },
    ("name",),
)
_PRICE = hash_of(
    {
        "currency": text,
        "unit_amount": integer,
        "product_data": _PRODUCT,
        "tax_behavior": enum("exclusive", "inclusive", "unspecified"),
    },
    ("currency", "unit_amount", "product_data"),
)
_CUSTOM = hash_of({"message": text})
_CREATE = {
    "mode": enum("payment"),
    "ui_mode": enum("hosted_page"),
    "line_items": list_of(hash_of({"price_data": _PRICE, "quantity": integer}, ("price_data",))),
    "payment_intent_data": hash_of(
        {
            "metadata": mapping,
            "description": text,
            "setup_future_usage": enum("on_session", "off_session"),
            "receipt_email": text,
            "statement_descriptor": text,
            "statement_descriptor_suffix": text,
            "transfer_group": text,
            "capture_method": enum("automatic", "automatic_async", "manual"),
        }
    ),
    "customer": text,
    "customer_email": text,
    "customer_creation": enum("always", "if_required"),
    "customer_update": hash_of(dict.fromkeys(("address", "name"), enum("auto", "never"))),
    "success_url": text,
    "cancel_url": text,
    "expires_at": integer,
    "metadata": mapping,
    "client_reference_id": text,
    "currency": text,
    "locale": text,
    "payment_method_types": list_of(text),
    "payment_method_options": intents.card_options(
        setup_future_usage=enum("on_session", "off_session")
    ),
    "submit_type": enum("auto", "book", "donate", "pay"),
    "billing_address_collection": enum("auto", "required"),
    "allow_promotion_codes": boolean,
    "saved_payment_method_options": hash_of(
        {
            "payment_method_save": enum("enabled", "disabled"),
            "allow_redisplay_filters": list_of(text),
        }
    ),
    **dict.fromkeys(
        ("adaptive_pricing", "automatic_tax", "invoice_creation", "phone_number_collection"),
        hash_of({"enabled": boolean}, ("enabled",)),
    ),
    "custom_text": hash_of({"submit": _CUSTOM, "after_submit": _CUSTOM}),
}
_COPIED = (
    "cancel_url",
    "client_reference_id",
    "customer_email",
    "customer_creation",
    "locale",
    "submit_type",
    "success_url",
    "billing_address_collection",
    "allow_promotion_codes",
)


def _items(tx: Tx, given: list[Json]) -> list[Json]:
    """Line items as Stripe stores them, with a price made on the fly."""
    items = []
    for number, item in enumerate(given):
        price, quantity = item["price_data"], item.get("quantity")
        where = f"line_items[{number}]"
        if quantity is None or quantity < 1:
            raise StripeError("Quantity must be at least 1.", param=f"{where}[quantity]")
        currency = money.check_currency(price["currency"])
        if price["unit_amount"] < 0:
            raise StripeError(
                "Invalid non-negative integer", param=f"{where}[price_data][unit_amount]"
            )
        money.check_step(price["unit_amount"], currency, f"{where}[price_data][unit_amount]")
        total = price["unit_amount"] * quantity
        items.append(
            {
                "id": "li_" + random_text(24),
                "object": "item",
                "amount_discount": 0,
                "amount_subtotal": total,
                "amount_tax": 0,
                "amount_total": total,
                "currency": currency,
                "description": price["product_data"]["name"],
                "price": _price(tx, price, currency),
                "quantity": quantity,
            }
        )
    return items


def _price(tx: Tx, price: Json, currency: str) -> Json:
    return {
        "id": "price_" + random_text(24),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "created": tx.now,
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": "prod_" + random_text(14),
        "recurring": None,
        "tax_behavior": price.get("tax_behavior") or "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": price["unit_amount"],
        "unit_amount_decimal": str(price["unit_amount"]),
    }


def create(tx: Tx, params: Json) -> Json:
    if not params.get("line_items"):
        raise StripeError(
            "Missing required param: line_items.", code="parameter_missing", param="line_items"
        )
    if params.get("customer") and params.get("customer_email"):
        raise StripeError("You may only specify one of these parameters: customer, customer_email.")
    intents.check_types(params)
    items = _items(tx, params["line_items"])
    currency = items[0]["currency"]
    if any(item["currency"] != currency for item in items):
        raise StripeError("All line items must have the same currency.", param="line_items")
    total = sum(item["amount_total"] for item in items)
    money.check_amount(total, currency, "line_items")
    expires = params.get("expires_at", tx.now + _DAY)
    if not tx.now + _HALF_HOUR - 60 <= expires <= tx.now + _DAY + 60:
        raise StripeError(
            "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from "
            "Checkout Session creation.",
            param="expires_at",
        )
    session = tx.new(
        "checkout.session",
        amount_subtotal=total,
        amount_total=total,
        currency=currency,
        expires_at=expires,
        metadata=merge_metadata({}, params.get("metadata") or {}),
    )
    for name in _COPIED:
        session[name] = params.get(name)
    if params.get("adaptive_pricing"):
        session["adaptive_pricing"] = params["adaptive_pricing"]
    for name in ("automatic_tax", "invoice_creation", "phone_number_collection"):
        if (params.get(name) or {}).get("enabled"):
            raise StripeError(f"The sandbox has no {name}.", param=f"{name}[enabled]")
    if params.get("customer"):
        session["customer"] = customers.live(tx, params["customer"])["id"]
    else:
        session["customer_creation"] = params.get("customer_creation") or "if_required"
    session["ui_mode"] = params.get("ui_mode") or "hosted_page"
    session["url"] = f"{tx.public_url}/c/pay/{session['id']}"
    session["customer_details"] = _details(tx, session, None)
    tx.insert(
        session, {"line_items": items, "intent_data": params.get("payment_intent_data") or {}}
    )
    return session


def _details(tx: Tx, session: Json, method: Json | None) -> Json | None:
    """What is known of the buyer."""
    customer = tx.get(session["customer"]) if session["customer"] else None
    email = (customer or {}).get("email") or session["customer_email"]
    billing = method["billing_details"] if method else None
    if not email and not billing:
        return None
    return {
        "address": billing["address"] if billing else None,
        "email": email or (billing or {}).get("email"),
        "name": (billing or {}).get("name") or (customer or {}).get("name"),
        "phone": (billing or {}).get("phone"),
        "tax_exempt": "none",
        "tax_ids": [],
        "business_name": None,
        "individual_name": None,
    }


def open_session(tx: Tx, session_id: str) -> Json:
    """The session, expired first if its time has come."""
    session = tx.load("checkout.session", session_id, "session")
    if session["status"] == "open" and session["expires_at"] <= tx.now:
        expire_now(tx, session)
    return session


def expire_now(tx: Tx, session: Json) -> Json:
    """No one can pay it any more."""
    if session["payment_intent"]:
        intent = tx.load("payment_intent", session["payment_intent"])
        if intent["status"] in ("requires_payment_method", "requires_action"):
            payment_intents.cancel_now(tx, intent, None)
    session.update(status="expired", url=None)
    tx.save(session)
    emit(tx, "checkout.session.expired", session)
    return session


def expire_due(tx: Tx) -> None:
    """Every open session whose time has come."""
    due = "kind = 'checkout.session' AND status = 'open' AND json_extract(body, ?) <= ?"
    for session in tx.select(due, ("$.expires_at", tx.now)):
        expire_now(tx, session)


def pay(tx: Tx, session: Json, method: Json) -> Json:
    """One attempt to pay; the answer is its PaymentIntent. A decline raises."""
    if session["status"] != "open":
        raise StripeError(
            f"This Checkout Session is {session['status']} and cannot be paid.",
            code="checkout_session_unexpected_state",
        )
    intent = _intent(tx, session)
    payment_methods.check_usable(tx, method, intent["customer"], "PaymentIntent")
    paid = payments.attempt(tx, intent, method, off_session=False)
    return complete(tx, session, paid)


def pay_expired(tx: Tx, session: Json, method: Json) -> Json:
    """The bank took the money although the page had expired; no event of the page tells so."""
    if session["status"] != "expired":
        raise StripeError(f"This Checkout Session is {session['status']}, not expired.")
    intent = _intent(tx, session)
    if intent["status"] == "canceled":
        intent.update(status="requires_payment_method", canceled_at=None, cancellation_reason=None)
    payment_methods.check_usable(tx, method, intent["customer"], "PaymentIntent")
    paid = payments.attempt(tx, intent, method, off_session=False, authenticated=True)
    session["payment_status"] = "paid"
    tx.save(session)
    return paid


def _intent(tx: Tx, session: Json) -> Json:
    """The session's PaymentIntent, made when someone first tries to pay."""
    if session["payment_intent"]:
        return tx.load("payment_intent", session["payment_intent"])
    data: Json = tx.private(session["id"])["intent_data"]
    params: dict[str, Any] = {
        **data,
        "amount": session["amount_total"],
        "currency": session["currency"],
        "customer": session["customer"] or _buyer(tx, session, data),
        "payment_method_types": ["card"],
    }
    intent = payment_intents.build(tx, params)
    session["payment_intent"] = intent["id"]
    tx.save(session)
    tx.remember(intent["id"], session=session["id"])
    return intent


def _buyer(tx: Tx, session: Json, data: Json) -> str | None:
    """A card to be kept needs a customer to keep it."""
    if session["customer_creation"] != "always" and not data.get("setup_future_usage"):
        return None
    return str(customers.create(tx, {"email": session["customer_email"]})["id"])


def complete(tx: Tx, session: Json, intent: Json) -> Json:
    """Paid (or held): tell the merchant. A pending challenge changes nothing yet."""
    if intent["status"] in ("succeeded", "requires_capture"):
        method = tx.load("payment_method", intent["payment_method"])
        session.update(
            status="complete",
            payment_status="paid" if intent["status"] == "succeeded" else "unpaid",
            payment_intent=intent["id"],
            customer=intent["customer"],
            customer_details=_details(tx, session, method),
            url=None,
        )
        tx.save(session)
        emit(tx, "checkout.session.completed", session)
    return intent


def retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return open_session(tx, object_id)


def expire(tx: Tx, params: Json, object_id: str) -> Json:
    session = open_session(tx, object_id)
    if session["status"] != "open":
        raise StripeError(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of `{session['status']}`.",
            param="session",
        )
    return expire_now(tx, session)


def update(tx: Tx, params: Json, object_id: str) -> Json:
    session = open_session(tx, object_id)
    if "metadata" in params:
        session["metadata"] = merge_metadata(session["metadata"], params["metadata"])
    return tx.save(session)


def line_items(tx: Tx, params: Json, object_id: str) -> Json:
    tx.load("checkout.session", object_id, "session")
    items = tx.private(object_id)["line_items"]
    url = f"/v1/checkout/sessions/{object_id}/line_items"
    limit = params.get("limit", 10)
    return {"object": "list", "data": items[:limit], "has_more": len(items) > limit, "url": url}


def list_all(tx: Tx, params: Json) -> Json:
    expire_due(tx)
    return page(
        tx,
        "checkout.session",
        "/v1/checkout/sessions",
        params,
        customer=params.get("customer"),
        payment_intent=params.get("payment_intent"),
        status=params.get("status"),
    )


ROUTES = [
    Route("POST", "/v1/checkout/sessions", create, _CREATE, ("mode", "success_url")),
    Route(
        "GET",
        "/v1/checkout/sessions",
        list_all,
        {
            **PAGE,
            "customer": text,
            "payment_intent": text,
            "status": enum("open", "complete", "expired"),
        },
    ),
    Route("GET", "/v1/checkout/sessions/<a>", retrieve),
    Route("POST", "/v1/checkout/sessions/<a>", update, {"metadata": mapping}),
    Route("POST", "/v1/checkout/sessions/<a>/expire", expire),
    Route("GET", "/v1/checkout/sessions/<a>/line_items", line_items, CURSOR),
]
