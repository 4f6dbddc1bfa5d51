"""Disputes: the bank takes the money back, or asks first; evidence wins or loses it."""

from __future__ import annotations

from copy import deepcopy

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
_INQUIRY = ("warning_needs_response", "warning_under_review")
_OPEN = (*_INQUIRY, "needs_response", "under_review")
_VERDICTS = ("winning_evidence", "losing_evidence")
_WEEK = 7 * 24 * 3600


def open_dispute(
    tx: Tx,
    charge: Json,
    reason: str = "fraudulent",
    amount: int | None = None,
    inquiry: bool = False,
) -> Json:
    """The card holder's bank disputes a charge and withdraws its money at once.

    An inquiry only asks: no money moves unless it is escalated.
    """
    if not charge["captured"] or charge["disputed"]:
        raise StripeError(
            f"Charge {charge['id']} cannot be disputed: it is not captured, or was disputed."
        )
    left: int = charge["amount"] - charge["amount_refunded"]
    if left <= 0:
        raise StripeError(f"Charge {charge['id']} cannot be disputed: it was refunded in full.")
    if amount is not None and not 0 < amount <= left:
        raise StripeError(f"At most {left} can be disputed.", param="amount")
    dispute = tx.new(
        "dispute",
        amount=amount or left,
        charge=charge["id"],
        currency=charge["currency"],
        payment_intent=charge["payment_intent"],
        reason=reason,
        status="warning_needs_response" if inquiry else "needs_response",
        is_charge_refundable=inquiry,
    )
    card = charge["payment_method_details"]["card"]
    dispute["payment_method_details"]["card"].update(
        brand=card["brand"],
        network=card["network"],
        case_type="inquiry" if inquiry else "chargeback",
    )
    dispute["evidence_details"]["due_by"] = tx.now + _WEEK
    if not inquiry:
        _move(tx, dispute, -dispute["amount"])
    tx.insert(dispute)
    charge["disputed"] = True
    tx.save(charge)
    emit(tx, "charge.updated", charge, {"disputed": False})
    emit(tx, "charge.dispute.created", dispute)
    if not inquiry:
        emit(tx, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def _move(tx: Tx, dispute: Json, amount: int) -> None:
    dispute["balance_transactions"].append(charges.book(tx, "adjustment", dispute, amount))


def _require_open(dispute: Json) -> None:
    if dispute["status"] not in _OPEN:
        raise StripeError(
            f"Dispute {dispute['id']} is already closed ({dispute['status']}).",
            param="dispute",
        )


def escalate(tx: Tx, dispute: Json) -> Json:
    """An inquiry becomes a dispute, and the money is withdrawn."""
    if dispute["status"] not in _INQUIRY:
        raise StripeError(f"Dispute {dispute['id']} is not an inquiry.", param="dispute")
    before = {"status": dispute["status"], "is_charge_refundable": True}
    dispute.update(status="needs_response", is_charge_refundable=False)
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    _move(tx, dispute, -dispute["amount"])
    tx.save(dispute)
    emit(tx, "charge.dispute.updated", dispute, before)
    emit(tx, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def finish(tx: Tx, dispute: Json, won: bool) -> Json:
    """The bank decided, or the card holder withdrew (won). What was withdrawn comes back."""
    _require_open(dispute)
    if dispute["status"] in _INQUIRY:
        if won:
            dispute.update(status="warning_closed", is_charge_refundable=False)
            tx.save(dispute)
            emit(tx, "charge.dispute.closed", dispute)
            return dispute
        escalate(tx, dispute)
    dispute["status"] = "won" if won else "lost"
    if won:
        _move(tx, dispute, dispute["amount"])
    tx.save(dispute)
    emit(tx, "charge.dispute.closed", dispute)
    if won:
        emit(tx, "charge.dispute.funds_reinstated", dispute)
    return dispute


def withdraw(tx: Tx, dispute: Json) -> Json:
    """The card holder thinks better of it: the bank takes some days, and decides as for a win."""
    _require_open(dispute)
    before = dispute["status"]
    under_review = "warning_under_review" if before in _INQUIRY else "under_review"
    if before != under_review:
        dispute["status"] = under_review
        tx.save(dispute)
        emit(tx, "charge.dispute.updated", dispute, {"status": before})
    return finish(tx, dispute, won=True)


def _of_charge(tx: Tx, charge: Json) -> list[Json]:
    return tx.select("charge = ? AND kind = 'dispute'", (charge["id"],))


def allow_refunds(tx: Tx, charge: Json) -> bool:
    """A disputed charge can't be refunded; one that is only asked about can."""
    return all(dispute["is_charge_refundable"] for dispute in _of_charge(tx, charge))


def close_inquiries(tx: Tx, charge: Json) -> None:
    """Refunded in full: there is nothing left to ask."""
    for dispute in _of_charge(tx, charge):
        if dispute["status"] in _INQUIRY:
            finish(tx, dispute, won=True)


def retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return tx.load("dispute", object_id, "dispute")


def update(tx: Tx, params: Json, object_id: str) -> Json:
    dispute = tx.load("dispute", object_id, "dispute")
    before = deepcopy({name: dispute[name] for name in ("evidence", "metadata", "status")})
    if "metadata" in params:
        dispute["metadata"] = merge_metadata(dispute["metadata"], params["metadata"])
    evidence = params.get("evidence") or {}
    if evidence:
        if dispute["status"] not in _OPEN:
            raise StripeError("This dispute is already closed", param="evidence")
        dispute["evidence"].update(evidence)
        dispute["evidence_details"]["has_evidence"] = True
        if params.get("submit", True):
            asked = dispute["status"] in _INQUIRY
            dispute["status"] = "warning_under_review" if asked else "under_review"
            dispute["evidence_details"]["submission_count"] += 1
    tx.save(dispute)
    changed = {name: value for name, value in before.items() if value != dispute[name]}
    emit(tx, "charge.dispute.updated", dispute, changed)
    verdict = dispute["evidence"]["uncategorized_text"]
    if dispute["status"].endswith("under_review") and verdict in _VERDICTS:
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
