"""Events: one for every change of state, queued for each endpoint that asked for it."""

from __future__ import annotations

import time
from copy import deepcopy

from .errors import Json
from .store import Tx

API_VERSION = "2026-08-26.dahlia"


def emit(tx: Tx, kind: str, body: Json, previous: Json | None = None) -> Json:
    """Record what happened; queue it unless deliveries are paused."""
    data: Json = {"object": deepcopy(body)}
    if previous is not None:
        data["previous_attributes"] = previous
    endpoints = [] if tx.setting("paused", False) else subscribed(tx, kind)
    event = tx.new(
        "event",
        api_version=API_VERSION,
        data=data,
        type=kind,
        pending_webhooks=len(endpoints),
        request={
            "id": tx.request.get("request_id"),
            "idempotency_key": tx.request.get("idempotency_key"),
        },
    )
    tx.insert(event)
    for endpoint in endpoints:
        queue(tx, event["id"], endpoint["id"])
    return event


def subscribed(tx: Tx, kind: str) -> list[Json]:
    """Enabled endpoints that want this type of event."""
    return [
        endpoint
        for endpoint in tx.select("kind = 'webhook_endpoint'", (), "ORDER BY seq")
        if endpoint["status"] == "enabled"
        and ("*" in endpoint["enabled_events"] or kind in endpoint["enabled_events"])
    ]


def queue(tx: Tx, event_id: str, endpoint_id: str) -> None:
    """A delivery, due now. Real time: the virtual clock moves objects, not the network."""
    state = "held" if tx.setting("held", False) else "pending"
    tx.connection.execute(
        "INSERT INTO deliveries (event, endpoint, state, due) VALUES (?, ?, ?, ?)",
        (event_id, endpoint_id, state, time.time()),
    )
