"""Control calls for the sandbox itself: its clock, its webhooks, the trouble it makes."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from flask import Blueprint, Response, request

from . import faults
from .errors import Json, ParameterError
from .events import queue, subscribed
from .faults import FAULTS
from .resources import checkout
from .store import Tx
from .web import act, as_json, sent, store

blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")


@blueprint.get("/health")
def health() -> Response:
    return as_json({"ok": True})


@blueprint.post("/reset")
def reset() -> Response:
    """Forget everything: objects, keys, deliveries, the clock, planned trouble."""
    FAULTS.clear()
    store().reset()
    return as_json({"ok": True})


def _clock(tx: Tx) -> Json:
    virtual = tx.setting("clock") is not None
    return {"now": datetime.fromtimestamp(tx.now, UTC).isoformat(), "virtual": virtual}


@blueprint.get("/clock")
def clock() -> Response:
    return act(_clock)


@blueprint.post("/clock")
def set_clock() -> Response:
    """Stand still at a moment, or follow real time again (`null`)."""
    given = sent()
    if "now" not in given:
        raise ParameterError("Missing required param: now.", param="now")
    moment: str | None = None
    if given["now"] is not None:
        try:
            parsed = datetime.fromisoformat(str(given["now"]))
        except ValueError:
            raise ParameterError(f"Not an ISO 8601 time: {given['now']}", param="now") from None
        moment = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).isoformat()

    def work(tx: Tx) -> Json:
        tx.set_setting("clock", moment)
        tx.refresh_clock()
        checkout.expire_due(tx)
        return _clock(tx)

    return act(work)


@blueprint.get("/webhooks")
def webhooks() -> Response:
    return act(_webhooks)


def _webhooks(tx: Tx) -> Json:
    counts = tx.connection.execute("SELECT state, count(*) FROM deliveries GROUP BY state")
    return {
        "paused": tx.setting("paused", False),
        "held": tx.setting("held", False),
        "deliveries": dict(counts.fetchall()),
    }


@blueprint.post("/webhooks")
def set_webhooks() -> Response:
    """Pause (nothing is queued), or hold (queued, sent on release, in reverse if asked)."""
    given = sent()
    for name in ("paused", "held"):
        if not isinstance(given.get(name, False), bool):
            raise ParameterError(f"{name} must be true or false", param=name)
    if given.get("order", "same") not in ("same", "reverse"):
        raise ParameterError("order must be same or reverse", param="order")
    copies = given.get("copies", 1)
    if not isinstance(copies, int) or isinstance(copies, bool) or not 1 <= copies <= 20:
        raise ParameterError("copies must be a number from 1 to 20", param="copies")

    def work(tx: Tx) -> Json:
        if "paused" in given:
            tx.set_setting("paused", given["paused"])
        if "held" in given:
            tx.set_setting("held", given["held"])
            if not given["held"]:
                _release(tx, given.get("order") == "reverse", copies)
        return _webhooks(tx)

    return act(work)


def _release(tx: Tx, backwards: bool, copies: int) -> None:
    """Let go of held deliveries, a little apart so that they arrive in this order."""
    rows = tx.connection.execute(
        "SELECT id, event, endpoint FROM deliveries WHERE state = 'held' ORDER BY id"
    )
    waiting = rows.fetchall()
    if backwards:
        waiting.reverse()
    for number, (delivery, event, endpoint) in enumerate(waiting):
        due = time.time() + number * 0.1
        tx.connection.execute(
            "UPDATE deliveries SET state = 'pending', due = ? WHERE id = ?", (due, delivery)
        )
        for _ in range(copies - 1):
            tx.connection.execute(
                "INSERT INTO deliveries (event, endpoint, due) VALUES (?, ?, ?)",
                (event, endpoint, due),
            )


@blueprint.get("/next")
def next_faults() -> Response:
    return as_json({"data": FAULTS.planned()})


@blueprint.post("/next")
def plan_fault() -> Response:
    FAULTS.add(faults.read(sent()))
    return as_json({"data": FAULTS.planned()})


@blueprint.delete("/next")
def clear_faults() -> Response:
    FAULTS.clear()
    return as_json({"data": []})


@blueprint.post("/events/<event_id>/resend")
def resend(event_id: str) -> Response:
    """Deliver an event again, as often as asked, to everyone who subscribed to it."""
    times = sent().get("times", 1)
    if not isinstance(times, int) or isinstance(times, bool) or not 1 <= times <= 1000:
        raise ParameterError("times must be a number from 1 to 1000", param="times")

    def work(tx: Tx) -> Json:
        event = tx.load("event", event_id)
        endpoints = subscribed(tx, event["type"])
        for _ in range(times):
            for endpoint in endpoints:
                queue(tx, event_id, endpoint["id"])
        return {"queued": times * len(endpoints)}

    return act(work)


@blueprint.get("/deliveries")
def deliveries() -> Response:
    """The newest deliveries, or those of one event (`?event=`) or state (`?state=`)."""

    def work(tx: Tx) -> Json:
        where, values = ["1 = 1"], []
        for name in ("event", "state", "endpoint"):
            if request.args.get(name):
                where.append(f"{name} = ?")
                values.append(request.args[name])
        query = "SELECT id, event, endpoint, state, attempts, answer FROM deliveries WHERE "
        query += " AND ".join(where) + " ORDER BY id DESC LIMIT 200"
        rows = tx.connection.execute(query, values)
        names = ("id", "event", "endpoint", "state", "attempts", "answer")
        return {"data": [dict(zip(names, row, strict=True)) for row in rows]}

    return act(work)
