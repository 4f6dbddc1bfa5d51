"""Refunds: whole or in part, never more than was captured; with two test cards final only later."""

from __future__ import annotations

import time

from .. import cards, money
from ..errors import Json, StripeError
from ..events import emit
from ..lists import page
from ..params import CURSOR, PAGE, enum, integer, mapping, merge_metadata, text
from ..routing import Route
from ..store import Tx
from . import charges, disputes

_SETTLES_AFTER_SECONDS = 3


def _charge_of(tx: Tx, params: Json) -> Json:
    if params.get("charge"):
        return tx.load("charge", params["charge"], "charge")
    if not params.get("payment_intent"):
        raise StripeError(
            "One of the following params should be provided for this request: payment_intent "
            "or charge.",
            code="parameter_missing",
        )
    intent = tx.load("payment_intent", params["payment_intent"], "payment_intent")
    charge = tx.get(intent["latest_charge"]) if intent["latest_charge"] else None
    if charge is None or not charge["captured"]:
        raise StripeError(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    return charge


def _record(tx: Tx, charge: Json, amount: int, reason: str | None, metadata: Json) -> Json:
    """A refund and its traces on the charge."""
    refund = tx.new(
        "refund",
        amount=amount,
        charge=charge["id"],
        currency=charge["currency"],
        payment_intent=charge["payment_intent"],
        reason=reason,
        metadata=metadata,
    )
    refund["destination_details"] = {"card": {"type": "refund"}, "type": "card"}
    if charge["captured"]:
        refund["balance_transaction"] = charges.book(tx, "refund", refund, -amount)["id"]
    else:
        refund["destination_details"]["card"]["type"] = "reversal"
    tx.insert(refund)
    charge["amount_refunded"] += amount
    whole = max(charge["amount"], charge["amount_captured"])
    charge["refunded"] = charge["amount_refunded"] >= whole
    tx.save(charges.with_refunds(tx, charge))
    return refund


def release(tx: Tx, charge: Json) -> None:
    """Let go of an authorisation that was never captured."""
    _record(tx, charge, charge["amount"] - charge["amount_refunded"], None, {})
    emit(tx, "charge.refunded", charge)


def create(tx: Tx, params: Json) -> Json:
    charge = _charge_of(tx, params)
    if not charge["captured"]:
        raise StripeError(
            f"Charge {charge['id']} is not captured; cancel its PaymentIntent instead.",
            param="charge",
        )
    if not disputes.allow_refunds(tx, charge):
        raise StripeError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    left = max(charge["amount"], charge["amount_captured"]) - charge["amount_refunded"]
    if left <= 0:
        raise StripeError(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    currency = charge["currency"]
    amount = params.get("amount", left)
    if amount < 1:
        raise StripeError(
            "Invalid positive integer", code="parameter_invalid_integer", param="amount"
        )
    if amount > left:
        raise StripeError(
            f"Refund amount ({money.display(amount, currency)}) is greater than unrefunded "
            f"amount on charge ({money.display(left, currency)})",
            param="amount",
        )
    money.check_step(amount, currency)
    metadata = merge_metadata({}, params.get("metadata") or {})
    refund = _record(tx, charge, amount, params.get("reason"), metadata)
    kind = cards.CARDS[tx.private(charge["payment_method"])["number"]].refund
    if kind != "at_once":
        if kind == "later":
            refund["status"] = "pending"
            tx.save(refund)
        # Real time: the virtual clock may stand still.
        due = time.time() + _SETTLES_AFTER_SECONDS
        tx.remember(refund["id"], settles=kind, due=due)
    emit(tx, "refund.created", refund)
    emit(tx, "charge.refunded", charge)
    if charge["refunded"]:
        disputes.close_inquiries(tx, charge)
    return refund


def settle_due(tx: Tx) -> None:
    """Refunds of the two test cards, some seconds later."""
    due = "kind = 'refund' AND json_extract(private, '$.due') <= ?"
    for refund in tx.select(due, (time.time(),)):
        if tx.private(refund["id"])["settles"] == "fails_later":
            fail(tx, refund)
        else:
            succeed(tx, refund)


def succeed(tx: Tx, refund: Json) -> Json:
    """The bank took the money back to the card."""
    if refund["status"] != "pending":
        raise _settled(refund)
    refund["status"] = "succeeded"
    return _changed(tx, refund, {"status": "pending"})


def fail(tx: Tx, refund: Json, reason: str = "expired_or_canceled_card") -> Json:
    """The bank could not: the money is back in the balance, and the charge is not refunded."""
    if refund["status"] not in ("pending", "succeeded"):
        raise _settled(refund)
    before = {"status": refund["status"], "failure_reason": None}
    entry = charges.book(tx, "refund_failure", refund, refund["amount"])
    refund.update(status="failed", failure_reason=reason, failure_balance_transaction=entry["id"])
    charge = tx.load("charge", refund["charge"])
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    tx.save(charge)
    _changed(tx, refund, {**before, "failure_balance_transaction": None})
    emit(tx, "refund.failed", refund)
    return refund


def _changed(tx: Tx, refund: Json, before: Json) -> Json:
    tx.save(refund)
    tx.remember(refund["id"], due=None)
    emit(tx, "refund.updated", refund, before)
    emit(tx, "charge.refund.updated", refund, before)
    return refund


def _settled(refund: Json) -> StripeError:
    return StripeError(f"Refund {refund['id']} is {refund['status']}.", param="refund")


def retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return tx.load("refund", object_id)


def update(tx: Tx, params: Json, object_id: str) -> Json:
    refund = tx.load("refund", object_id)
    before = refund["metadata"]
    refund["metadata"] = merge_metadata(before, params.get("metadata") or {})
    tx.save(refund)
    emit(tx, "refund.updated", refund, {"metadata": before})
    emit(tx, "charge.refund.updated", refund, {"metadata": before})
    return refund


def list_all(tx: Tx, params: Json) -> Json:
    return page(
        tx,
        "refund",
        "/v1/refunds",
        params,
        charge=params.get("charge"),
        payment_intent=params.get("payment_intent"),
    )


def of_charge(tx: Tx, params: Json, charge_id: str) -> Json:
    tx.load("charge", charge_id)
    return page(tx, "refund", f"/v1/charges/{charge_id}/refunds", params, charge=charge_id)


ROUTES = [
    Route(
        "POST",
        "/v1/refunds",
        create,
        {
            "payment_intent": text,
            "charge": text,
            "amount": integer,
            "reason": enum("duplicate", "fraudulent", "requested_by_customer"),
            "metadata": mapping,
        },
    ),
    Route("GET", "/v1/refunds", list_all, {**PAGE, "charge": text, "payment_intent": text}),
    Route("GET", "/v1/refunds/<a>", retrieve),
    Route("POST", "/v1/refunds/<a>", update, {"metadata": mapping}),
    Route("GET", "/v1/charges/<a>/refunds", of_charge, CURSOR),
]
