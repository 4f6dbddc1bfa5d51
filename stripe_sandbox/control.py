"""The control API: what tests and the demo do that the real world would."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from flask import Blueprint, Response, request

from . import cards, challenges, faults
from .errors import Json, ParameterError
from .events import emit, queue, subscribed
from .faults import FAULTS
from .params import check, integer
from .resources import checkout, disputes, payment_methods, refunds, setup_intents
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

    def work(tx: Tx) -> Json:
        if "paused" in given:
            tx.set_setting("paused", given["paused"])
        if "held" in given:
            tx.set_setting("held", given["held"])
            if not given["held"]:
                _release(tx, given.get("order") == "reverse")
        return _webhooks(tx)

    return act(work)


def _release(tx: Tx, backwards: bool) -> None:
    """Let go of held deliveries, a little apart so that they arrive in this order."""
    rows = tx.connection.execute("SELECT id FROM deliveries WHERE state = 'held' ORDER BY id")
    waiting = [row[0] for row in rows.fetchall()]
    if backwards:
        waiting.reverse()
    for number, delivery in enumerate(waiting):
        tx.connection.execute(
            "UPDATE deliveries SET state = 'pending', due = ? WHERE id = ?",
            (time.time() + number * 0.1, delivery),
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


@blueprint.post("/payment_methods/<method_id>/behaviour")
def behaviour(method_id: str) -> Response:
    """From now on this saved card declines (or works again), or it was replaced by its bank."""
    given = sent()
    known = {"decline_code", "exp_month", "exp_year", "last4"}
    if not given or set(given) - known:
        raise ParameterError(f"Give one or more of {', '.join(sorted(known))}.")

    def work(tx: Tx) -> Json:
        method = tx.load("payment_method", method_id)
        if "decline_code" in given:
            code = cards.require_known_decline(given["decline_code"])
            tx.remember(method_id, behaviour=code)
        change = {name: given[name] for name in ("exp_month", "exp_year", "last4") if name in given}
        if change:
            before = {name: method["card"][name] for name in change}
            method["card"].update(change)
            tx.save(method)
            emit(tx, "payment_method.automatically_updated", method, {"card": before})
        return method

    return act(work)


def _method(tx: Tx, given: Json) -> Json:
    """The card a control call pays with: an id, a magic id, or a number."""
    typed = given.get("card")
    if typed:
        if not isinstance(typed, dict):
            raise ParameterError("card must be an object", param="card")
        card = {"exp_month": 12, "exp_year": tx.today.year + 2, "cvc": "123", **typed}
        card = check({name: str(value) for name, value in card.items()}, payment_methods.CARD_DATA)
        data = {"type": "card", "card": card, "billing_details": given.get("billing_details")}
        return payment_methods.from_data(tx, data)
    return payment_methods.resolve(tx, str(given.get("payment_method") or "pm_card_visa"))


@blueprint.post("/checkout/<session_id>/pay")
def pay_session(session_id: str) -> Response:
    """Pay as the customer would; a 3-D Secure challenge is passed (or not, if asked)."""
    given = sent()

    def work(tx: Tx) -> Json:
        session = checkout.open_session(tx, session_id)
        intent = checkout.pay(tx, session, _method(tx, given))
        if intent["status"] == "requires_action":
            challenges.finish(tx, intent["id"], {}, bool(given.get("authenticate", True)))
        return tx.load("checkout.session", session_id)

    return act(work)


@blueprint.post("/checkout/<session_id>/expire")
def expire_session(session_id: str) -> Response:
    return act(lambda tx: checkout.expire(tx, {}, session_id))


@blueprint.post("/setup_intents/<intent_id>/confirm")
def confirm_setup(intent_id: str) -> Response:
    """Complete the setup as the browser would, challenge included."""
    given = sent()

    def work(tx: Tx) -> Json:
        method = _method(tx, given)
        params = {"payment_method": method["id"], "use_stripe_sdk": True}
        intent = setup_intents.confirm(tx, params, intent_id)
        if intent["status"] == "requires_action":
            passed = bool(given.get("authenticate", True))
            intent = challenges.finish(tx, intent_id, {}, passed)
        return intent

    return act(work)


@blueprint.post("/payment_intents/<intent_id>/authenticate")
def authenticate(intent_id: str) -> Response:
    """Press a button of the 3-D Secure challenge."""
    passed = bool(sent().get("passed", True))
    return act(lambda tx: challenges.finish(tx, intent_id, {}, passed))


@blueprint.post("/charges/<charge_id>/dispute")
def dispute(charge_id: str) -> Response:
    reason = str(sent().get("reason", "fraudulent"))
    return act(lambda tx: disputes.open_dispute(tx, tx.load("charge", charge_id), reason))


@blueprint.post("/charges/<charge_id>/refund")
def refund(charge_id: str) -> Response:
    """Refund as someone in Stripe's dashboard would: the portal learns of it by webhook."""
    params: Json = {"charge": charge_id}
    amount = sent().get("amount")
    if amount is not None:
        params["amount"] = integer("amount", str(amount))
    return act(lambda tx: refunds.create(tx, params))


@blueprint.post("/disputes/<dispute_id>/win")
def win(dispute_id: str) -> Response:
    return act(lambda tx: disputes.finish(tx, tx.load("dispute", dispute_id), won=True))


@blueprint.post("/disputes/<dispute_id>/lose")
def lose(dispute_id: str) -> Response:
    return act(lambda tx: disputes.finish(tx, tx.load("dispute", dispute_id), won=False))


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
