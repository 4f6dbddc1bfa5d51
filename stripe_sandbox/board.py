"""The page at `/`: what was paid and what was sent, with buttons for what may go wrong."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, render_template, request

from . import money
from .errors import Json
from .faults import FAULTS
from .store import Tx
from .web import store

blueprint = Blueprint("board", __name__)
_ROWS = 25


def _moment(created: int) -> str:
    return f"{datetime.fromtimestamp(created, UTC):%Y-%m-%d %H:%M:%S}"


def _payments(tx: Tx) -> list[Json]:
    """The newest payments, each with its charge and its dispute."""
    rows = []
    newest = tx.select(
        "kind = 'payment_intent'", (), f"ORDER BY created DESC, seq DESC LIMIT {_ROWS}"
    )
    for intent in newest:
        charge = tx.get(intent["latest_charge"]) if intent["latest_charge"] else None
        disputes = tx.select("payment_intent = ? AND kind = 'dispute'", (intent["id"],))
        error = intent["last_payment_error"] or {}
        rows.append(
            {
                "id": intent["id"],
                "when": _moment(intent["created"]),
                "amount": money.display(intent["amount"], intent["currency"]),
                "status": intent["status"],
                "reason": error.get("decline_code") or error.get("code") or "",
                "description": intent["description"] or "",
                "charge": charge,
                "refunded": money.display(charge["amount_refunded"], charge["currency"])
                if charge and charge["captured"] and charge["amount_refunded"]
                else "",
                "refundable": bool(
                    charge
                    and charge["captured"]
                    and not charge["refunded"]
                    and not charge["disputed"]
                ),
                "dispute": disputes[0] if disputes else None,
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
        newest = f"{sent[0][0]} ({sent[0][2] or 'not tried'})" if sent else "no endpoint"
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


@blueprint.get("/")
def board() -> str:
    with store().transaction(path=request.path) as tx:
        shown = {
            "payments": _payments(tx),
            "events": _events(tx),
            "endpoints": tx.select("kind = 'webhook_endpoint'", ()),
            "now": _moment(tx.now),
            "virtual": tx.setting("clock") is not None,
            "paused": tx.setting("paused", False),
        }
    return render_template("board.html", planned=FAULTS.planned(), **shown)
