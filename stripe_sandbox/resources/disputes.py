"""Disputes: the bank takes the money back; evidence wins or loses it."""

from __future__ import annotations

from ..errors import Json, StripeError
from ..events import emit
from ..lists import page
from ..params import PAGE, Schema, boolean, hash_of, mapping, merge_metadata, text
from ..routing import Route
from ..store import TEMPLATES, Tx
from . import charges

_EVIDENCE: Schema = {
    name: text for name in TEMPLATES["dispute"]["evidence"] if name != "enhanced_evidence"
}
_OPEN = ("needs_response", "under_review", "warning_needs_response")
_WEEK = 7 * 24 * 3600


def open_dispute(tx: Tx, charge: Json, reason: str = "fraudulent") -> Json:
    """The card holder's bank disputes a charge and withdraws its money at once."""
    if not charge["captured"] or charge["disputed"]:
        raise StripeError(
            f"Charge {charge['id']} cannot be disputed: it is not captured, or was disputed."
        )
    amount = charge["amount"] - charge["amount_refunded"]
    if amount <= 0:
        raise StripeError(f"Charge {charge['id']} cannot be disputed: it was refunded in full.")
    dispute = tx.new(
        "dispute",
        amount=amount,
        charge=charge["id"],
        currency=charge["currency"],
        payment_intent=charge["payment_intent"],
        reason=reason,
    )
    card = charge["payment_method_details"]["card"]
    dispute["payment_method_details"]["card"].update(brand=card["brand"], network=card["network"])
    dispute["evidence_details"]["due_by"] = tx.now + _WEEK
    entry = charges.book(tx, "adjustment", dispute, -amount)
    dispute["balance_transactions"] = [entry]
    tx.insert(dispute)
    charge["disputed"] = True
    tx.save(charge)
    emit(tx, "charge.updated", charge, {"disputed": False})
    emit(tx, "charge.dispute.created", dispute)
    emit(tx, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def finish(tx: Tx, dispute: Json, won: bool) -> Json:
    """The bank decided. Won: the money comes back."""
    if dispute["status"] not in _OPEN:
        raise StripeError(
            f"Dispute {dispute['id']} is already closed ({dispute['status']}).",
            param="dispute",
        )
    dispute["status"] = "won" if won else "lost"
    if won:
        entry = charges.book(tx, "adjustment", dispute, dispute["amount"])
        dispute["balance_transactions"].append(entry)
    tx.save(dispute)
    emit(tx, "charge.dispute.closed", dispute)
    if won:
        emit(tx, "charge.dispute.funds_reinstated", dispute)
    return dispute


def retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return tx.load("dispute", object_id, "dispute")


def update(tx: Tx, params: Json, object_id: str) -> Json:
    dispute = tx.load("dispute", object_id, "dispute")
    if "metadata" in params:
        dispute["metadata"] = merge_metadata(dispute["metadata"], params["metadata"])
    evidence = params.get("evidence") or {}
    if evidence:
        if dispute["status"] not in _OPEN:
            raise StripeError("This dispute is already closed", param="evidence")
        dispute["evidence"].update(evidence)
        dispute["evidence_details"]["has_evidence"] = True
        if params.get("submit", True):
            dispute["status"] = "under_review"
            dispute["evidence_details"]["submission_count"] += 1
    tx.save(dispute)
    emit(tx, "charge.dispute.updated", dispute, {})
    verdict = dispute["evidence"]["uncategorized_text"]
    if dispute["status"] == "under_review" and verdict in ("winning_evidence", "losing_evidence"):
        return finish(tx, dispute, verdict == "winning_evidence")
    return dispute


def close(tx: Tx, params: Json, object_id: str) -> Json:
    return finish(tx, tx.load("dispute", object_id, "dispute"), won=False)


def list_all(tx: Tx, params: Json) -> Json:
    return page(
        tx,
        "dispute",
        "/v1/disputes",
        params,
        charge=params.get("charge"),
        payment_intent=params.get("payment_intent"),
    )


ROUTES = [
    Route("GET", "/v1/disputes", list_all, {**PAGE, "charge": text, "payment_intent": text}),
    Route("GET", "/v1/disputes/<a>", retrieve),
    Route(
        "POST",
        "/v1/disputes/<a>",
        update,
        {"evidence": hash_of(_EVIDENCE), "metadata": mapping, "submit": boolean},
    ),
    Route("POST", "/v1/disputes/<a>/close", close),
]
