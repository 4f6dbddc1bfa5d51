"""Customers and their saved cards."""

from __future__ import annotations

from typing import Any

from ..errors import Json, StripeError, missing
from ..events import emit
from ..lists import page
from ..params import (
    ADDRESS,
    CURSOR,
    PAGE,
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
from . import payment_methods

_FIELDS = {
    "name": text,
    "email": text,
    "phone": text,
    "description": text,
    "metadata": mapping,
    "address": ADDRESS,
    "balance": integer,
    "invoice_prefix": text,
    "preferred_locales": list_of(text),
    "tax_exempt": enum("none", "exempt", "reverse"),
    "invoice_settings": hash_of({"default_payment_method": text, "footer": text}),
    "shipping": hash_of({"name": text, "phone": text, "address": ADDRESS}),
}


def _apply(tx: Tx, customer: Json, params: Json) -> Json:
    """Write the parameters; answer with the values they replaced."""
    previous: Json = {}
    for name, value in params.items():
        if name not in _FIELDS:
            continue
        old: Any = customer[name]
        if name == "metadata":
            value = merge_metadata(old, value)
        elif name == "invoice_settings":
            value = {**old, **(value or {})}
            _check_default(tx, customer, value["default_payment_method"])
        elif name == "address" and value is not None:
            value = {
                **dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
                **value,
            }
        elif name == "preferred_locales":
            value = value or []
        if value != old:
            previous[name] = old
            customer[name] = value
    return previous


def _check_default(tx: Tx, customer: Json, method_id: str | None) -> None:
    if method_id is None:
        return
    method = tx.load("payment_method", method_id, "invoice_settings[default_payment_method]")
    if method["customer"] != customer["id"]:
        raise StripeError(
            "The customer does not have a payment method with the ID "
            f"{method_id}. The payment method must be attached to the customer.",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )


def live(tx: Tx, customer_id: str, param: str = "customer") -> Json:
    """A customer that was not deleted."""
    customer = tx.load("customer", customer_id, param)
    if customer.get("deleted"):
        raise missing("customer", customer_id, param)
    return customer


def create(tx: Tx, params: Json) -> Json:
    customer = tx.new("customer", invoice_prefix=random_text(8).upper())
    customer["id"] = "cus_" + random_text(14)
    tx.insert(customer)
    if params.get("payment_method"):
        method = payment_methods.attach(tx, {"customer": customer["id"]}, params["payment_method"])
        settings = params.get("invoice_settings") or {}
        if settings.get("default_payment_method") == params["payment_method"]:
            params = {
                **params,
                "invoice_settings": {**settings, "default_payment_method": method["id"]},
            }
    _apply(tx, customer, params)
    tx.save(customer)
    emit(tx, "customer.created", customer)
    return customer


def retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return tx.load("customer", object_id)


def update(tx: Tx, params: Json, object_id: str) -> Json:
    customer = live(tx, object_id, "id")
    previous = _apply(tx, customer, params)
    tx.save(customer)
    if previous:
        emit(tx, "customer.updated", customer, previous)
    return customer


def delete(tx: Tx, params: Json, object_id: str) -> Json:
    customer = live(tx, object_id, "id")
    for method in tx.select("kind = 'payment_method' AND customer = ?", (object_id,)):
        method["customer"] = None
        tx.save(method)
        tx.remember(method["id"], detached=True)
    emit(tx, "customer.deleted", customer)
    return tx.save({"id": object_id, "object": "customer", "deleted": True})


def list_all(tx: Tx, params: Json) -> Json:
    fields: Json = {"deleted": None}
    if params.get("email"):
        fields["email"] = params["email"]
    return page(tx, "customer", "/v1/customers", params, fields)


def methods(tx: Tx, params: Json, customer_id: str) -> Json:
    live(tx, customer_id)
    url = f"/v1/customers/{customer_id}/payment_methods"
    return page(tx, "payment_method", url, params, customer=customer_id, type=params.get("type"))


def method(tx: Tx, params: Json, customer_id: str, method_id: str) -> Json:
    live(tx, customer_id)
    found = tx.load("payment_method", method_id, "payment_method")
    if found["customer"] != customer_id:
        raise missing("payment_method", method_id, "payment_method")
    return found


ROUTES = [
    Route("POST", "/v1/customers", create, {**_FIELDS, "payment_method": text}),
    Route("GET", "/v1/customers", list_all, {**PAGE, "email": text}),
    Route("GET", "/v1/customers/<a>", retrieve),
    Route("POST", "/v1/customers/<a>", update, _FIELDS),
    Route("DELETE", "/v1/customers/<a>", delete),
    Route("GET", "/v1/customers/<a>/payment_methods", methods, {**CURSOR, "type": text}),
    Route("GET", "/v1/customers/<a>/payment_methods/<b>", method),
]
