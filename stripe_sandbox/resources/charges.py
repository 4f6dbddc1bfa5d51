"""Charges and balance transactions: made by PaymentIntents, read by everyone."""

from __future__ import annotations

from ..cards import Decline
from ..errors import Json
from ..events import emit
from ..lists import page
from ..params import PAGE, mapping, merge_metadata, text
from ..routing import Route
from ..store import Tx


def fee(amount: int) -> int:
    """2.9 %, half up, in whole units: enough for a test account."""
    return (amount * 29 + 500) // 1000


def book(tx: Tx, kind: str, source: Json, amount: int, cost: int = 0) -> Json:
    """A balance transaction for money that moved."""
    details = [
        {
            "amount": cost,
            "application": None,
            "currency": source["currency"],
            "description": "Stripe processing fees",
            "type": "stripe_fee",
        }
    ]
    entry = tx.new(
        "balance_transaction",
        amount=amount,
        fee=cost,
        fee_details=details if cost else [],
        net=amount - cost,
        currency=source["currency"],
        type=kind,
        reporting_category={"adjustment": "dispute"}.get(kind, kind),
        source=source["id"],
        available_on=tx.now,
        description=source.get("description"),
    )
    return tx.insert(entry)


def open_charge(tx: Tx, intent: Json, method: Json, authenticated: bool) -> Json:
    """A charge with everything it copies from its PaymentIntent and card; not stored yet."""
    charge = tx.new(
        "charge",
        amount=intent["amount"],
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        metadata=dict(intent["metadata"]),
        payment_intent=intent["id"],
        payment_method=method["id"],
        billing_details=method["billing_details"],
        receipt_email=intent["receipt_email"],
        statement_descriptor=intent["statement_descriptor"],
        statement_descriptor_suffix=intent["statement_descriptor_suffix"],
        transfer_group=intent["transfer_group"],
        shipping=intent["shipping"],
    )
    charge["refunds"]["url"] = f"/v1/charges/{charge['id']}/refunds"
    charge["receipt_url"] = f"{tx.public_url}/receipts/{charge['id']}"
    shown = charge["payment_method_details"]["card"]
    for name in ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4"):
        shown[name] = method["card"][name]
    shown.update(network=method["card"]["brand"], checks=dict(method["card"]["checks"]))
    shown["checks"]["cvc_check"] = "pass" if shown["checks"]["cvc_check"] else None
    shown["amount_authorized"] = intent["amount"]
    shown["overcapture"]["maximum_amount_capturable"] = intent["amount"]
    if authenticated:
        shown["three_d_secure"] = {
            "authentication_flow": "challenge",
            "electronic_commerce_indicator": "05",
            "exemption_indicator": None,
            "result": "authenticated",
            "result_reason": None,
            "transaction_id": charge["id"].replace("ch_", "3ds_"),
            "version": "2.2.0",
        }
    return charge


def succeed(tx: Tx, charge: Json, captured: int | None) -> Json:
    """The bank said yes: so much is captured, or with None all of it held."""
    charge.update(paid=True, status="succeeded")
    charge["outcome"].update(
        network_status="approved_by_network",
        seller_message="Payment complete.",
        type="authorized",
    )
    if captured is not None:
        settle(tx, charge, captured)
    tx.insert(charge)
    return charge


def settle(tx: Tx, charge: Json, amount: int) -> None:
    """Captured: the money arrives in the balance, and the rest of the hold is let go."""
    released = max(charge["amount"] - amount, 0)
    charge.update(captured=True, amount_captured=amount, amount_refunded=released)
    charge["balance_transaction"] = book(tx, "charge", charge, amount, fee(amount))["id"]


def fail(tx: Tx, charge: Json, refused: Decline) -> Json:
    """The bank said no; the failed charge stays, as with Stripe."""
    charge.update(
        paid=False,
        status="failed",
        failure_code=refused.code,
        failure_message=refused.message,
    )
    charge["outcome"].update(
        network_status="declined_by_network",
        reason=refused.decline_code,
        seller_message="The bank did not return any further details with this decline.",
        type="issuer_declined",
    )
    tx.insert(charge)
    emit(tx, "charge.failed", charge)
    return charge


def with_refunds(tx: Tx, charge: Json) -> Json:
    """The charge with its refunds listed, newest first."""
    found = tx.select(
        "charge = ? AND kind = 'refund'", (charge["id"],), "ORDER BY seq DESC LIMIT 10"
    )
    charge["refunds"]["data"] = found
    return charge


def retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return tx.load("charge", object_id)


def update(tx: Tx, params: Json, object_id: str) -> Json:
    charge = tx.load("charge", object_id)
    previous: Json = {}
    for name, value in params.items():
        if name != "expand":
            new = merge_metadata(charge[name], value) if name == "metadata" else value
            previous[name], charge[name] = charge[name], new
    tx.save(charge)
    emit(tx, "charge.updated", charge, previous)
    return charge


def list_all(tx: Tx, params: Json) -> Json:
    return page(
        tx,
        "charge",
        "/v1/charges",
        params,
        customer=params.get("customer"),
        payment_intent=params.get("payment_intent"),
    )


def balance_list(tx: Tx, params: Json) -> Json:
    fields = {name: params[name] for name in ("source", "currency") if params.get(name)}
    return page(
        tx,
        "balance_transaction",
        "/v1/balance_transactions",
        params,
        fields,
        type=params.get("type"),
    )


def balance_retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return tx.load("balance_transaction", object_id)


ROUTES = [
    Route("GET", "/v1/charges", list_all, {**PAGE, "customer": text, "payment_intent": text}),
    Route("GET", "/v1/charges/<a>", retrieve),
    Route(
        "POST",
        "/v1/charges/<a>",
        update,
        {"description": text, "metadata": mapping, "receipt_email": text},
    ),
    Route(
        "GET",
        "/v1/balance_transactions",
        balance_list,
        {**PAGE, "type": text, "source": text, "currency": text},
    ),
    Route("GET", "/v1/balance_transactions/<a>", balance_retrieve),
]
