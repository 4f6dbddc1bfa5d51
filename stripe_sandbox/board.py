"""The page at `/`: what was paid and what was sent, with buttons for what may go wrong."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, render_template, request

from . import money
from .errors import Json
from .faults import FAULTS
from .store import Tx
from .web import public_url, store

blueprint = Blueprint("board", __name__)
_ROWS = 25
_FEW = 10
_OPEN_DISPUTES = ("needs_response", "under_review")
_INQUIRIES = ("warning_needs_response", "warning_under_review")


def _moment(created: int) -> str:
    return f"{datetime.fromtimestamp(created, UTC):%Y-%m-%d %H:%M:%S}"


def _newest(tx: Tx, condition: str, rows: int) -> list[Json]:
    return tx.select(condition, (), f"ORDER BY created DESC, seq DESC LIMIT {rows}")


def _payments(tx: Tx) -> list[Json]:
    """The newest payments, each with its charge, its refunds and its dispute."""
    return [_payment(tx, intent) for intent in _newest(tx, "kind = 'payment_intent'", _ROWS)]


def _payment(tx: Tx, intent: Json) -> Json:
    charge = tx.get(intent["latest_charge"]) if intent["latest_charge"] else None
    error = intent["last_payment_error"] or {}
    row: Json = {
        "id": intent["id"],
        "when": _moment(intent["created"]),
        "amount": money.display(intent["amount"], intent["currency"]),
        "status": intent["status"],
        "reason": error.get("decline_code") or error.get("code") or "",
        "description": intent["description"] or "",
        "transaction": intent["metadata"].get("transaction", ""),
        "charge": charge,
        "captured": "",
        "left": 0,
        "refunds": [],
        "dispute": None,
    }
    if charge is None or not charge["captured"]:
        return row
    if charge["amount_captured"] != charge["amount"]:
        row["captured"] = money.display(charge["amount_captured"], charge["currency"])
    row["refunds"] = [
        {
            "id": refund["id"],
            "amount": money.display(refund["amount"], refund["currency"]),
            "status": refund["status"],
        }
        for refund in tx.select("charge = ? AND kind = 'refund'", (charge["id"],), "ORDER BY seq")
    ]
    disputes = tx.select("charge = ? AND kind = 'dispute'", (charge["id"],), "ORDER BY seq DESC")
    if disputes:
        status = disputes[0]["status"]
        row["dispute"] = {
            "id": disputes[0]["id"],
            "status": status.replace("_", " "),
            "is_open": status in (*_OPEN_DISPUTES, *_INQUIRIES),
            "is_inquiry": status in _INQUIRIES,
        }
    if all(dispute["is_charge_refundable"] for dispute in disputes):
        row["left"] = max(charge["amount"], charge["amount_captured"]) - charge["amount_refunded"]
    row["step"] = 10 if charge["currency"] in money.THREE_DECIMAL else 1
    return row


def _sessions(tx: Tx) -> list[Json]:
    """The newest payment pages."""
    return [
        {
            "id": session["id"],
            "when": _moment(session["created"]),
            "amount": money.display(session["amount_total"], session["currency"]),
            "status": session["status"],
            "paid": session["payment_status"] == "paid",
            "url": session["url"],
            "transaction": session["metadata"].get("transaction", ""),
        }
        for session in _newest(tx, "kind = 'checkout.session'", _FEW)
    ]


def _cards(tx: Tx) -> list[Json]:
    """The newest saved cards, and how they behave."""
    rows = []
    for method in _newest(tx, "kind = 'payment_method' AND customer IS NOT NULL", _FEW):
        customer = tx.get(method["customer"]) or {}
        card = method["card"]
        rows.append(
            {
                "id": method["id"],
                "customer": method["customer"],
                "whose": customer.get("name") or customer.get("email") or method["customer"],
                "name": f"{card['brand']} •••• {card['last4']}",
                "expires": f"{card['exp_month']:02}/{card['exp_year']}",
                "declines": tx.private(method["id"]).get("behaviour") or "",
                "renewed": {"exp_year": card["exp_year"] + 4, "exp_month": card["exp_month"]},
            }
        )
    return rows


def _events(tx: Tx) -> list[Json]:
    """The newest events and how their deliveries stand."""
    rows = []
    for event in tx.select("kind = 'event'", (), f"ORDER BY seq DESC LIMIT {_ROWS}"):
        sent = tx.connection.execute(
            "SELECT state, attempts, answer FROM deliveries WHERE event = ? ORDER BY id DESC",
            (event["id"],),
        ).fetchall()
        newest = f"{sent[0][0]} ({sent[0][2] or 'not tried'})" if sent else "nobody asked for it"
        rows.append(
            {
                "id": event["id"],
                "type": event["type"],
                "when": _moment(event["created"]),
                "object": event["data"]["object"].get("id", ""),
                "delivery": newest,
                "attempts": sum(row[1] for row in sent),
            }
        )
    return rows


def _planned() -> list[str]:
    """What is planned, in words."""
    said = []
    for fault in FAULTS.planned():
        what = {
            "capture": "another amount captured",
            "decline": fault.get("decline_code", ""),
            "delay": f"{fault.get('seconds')} s before acting",
            "delay_answer": f"{fault.get('seconds')} s before the answer",
            "drop_connection": "answer dropped",
            "status": f"HTTP {fault.get('status')}",
        }[fault["action"]]
        where = fault["match"]["path"]
        said.append(f"{fault['count']} × {what}" + (f", {where}" if where else ""))
    return said


@blueprint.get("/")
def board() -> str:
    with store().transaction(path=request.path, public_url=public_url()) as tx:
        held = tx.connection.execute("SELECT count(*) FROM deliveries WHERE state = 'held'")
        shown = {
            "payments": _payments(tx),
            "sessions": _sessions(tx),
            "cards": _cards(tx),
            "events": _events(tx),
            "endpoints": tx.select("kind = 'webhook_endpoint'", ()),
            "now": _moment(tx.now),
            "virtual": tx.setting("clock") is not None,
            "paused": tx.setting("paused", False),
            "held": tx.setting("held", False),
            "waiting": held.fetchone()[0],
        }
    return render_template("board.html", planned=_planned(), **shown)
