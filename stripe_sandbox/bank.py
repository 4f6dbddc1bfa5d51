"""Control calls for everyone else: card holders, their banks, someone in Stripe's dashboard."""

from __future__ import annotations

from flask import Blueprint, Response

from . import cards, challenges
from .errors import Json, ParameterError, StripeError
from .events import emit
from .params import check, integer, mapping
from .resources import (
    checkout,
    disputes,
    payment_intents,
    payment_methods,
    refunds,
    setup_intents,
)
from .store import Tx
from .web import act, sent

blueprint = Blueprint("bank", __name__, url_prefix="/_sandbox")


def _known(given: Json, *names: str) -> Json:
    """A misspelt instruction would be a test that tests nothing."""
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ParameterError(f"Received unknown parameter: {unknown[0]}", param=unknown[0])
    return given


def _amount(given: Json) -> int | None:
    return None if given.get("amount") is None else integer("amount", str(given["amount"]))


# Cards ----------------------------------------------------------------------------------------
@blueprint.post("/payment_methods/<method_id>/behaviour")
def behaviour(method_id: str) -> Response:
    """From now on this saved card declines (or works again), or it was replaced by its bank."""
    given = _known(sent(), "decline_code", "exp_month", "exp_year", "last4")
    if not given:
        raise ParameterError("Give decline_code, or what the bank changed.")

    def work(tx: Tx) -> Json:
        method = tx.load("payment_method", method_id)
        if "decline_code" in given:
            code = cards.require_known_decline(given["decline_code"])
            tx.remember(method_id, behaviour=code)
        change = {name: value for name, value in given.items() if name != "decline_code"}
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


@blueprint.post("/setup_intents/<intent_id>/confirm")
def confirm_setup(intent_id: str) -> Response:
    """Complete the setup as the browser would, challenge included."""
    given = _known(sent(), "payment_method", "card", "billing_details", "authenticate")

    def work(tx: Tx) -> Json:
        method = _method(tx, given)
        params = {"payment_method": method["id"], "use_stripe_sdk": True}
        intent = setup_intents.confirm(tx, params, intent_id)
        if intent["status"] == "requires_action":
            passed = bool(given.get("authenticate", True))
            intent = challenges.finish(tx, intent_id, {}, passed)
        return intent

    return act(work)


# Payments -------------------------------------------------------------------------------------
@blueprint.post("/payments")
def pay_by_hand() -> Response:
    """A payment made in Stripe's dashboard: it names no transaction unless metadata does."""
    given = _known(
        sent(), "customer", "amount", "currency", "payment_method", "description", "metadata"
    )

    def work(tx: Tx) -> Json:
        method = _method(tx, given)
        params: Json = {
            "amount": _amount(given) or 0,
            "currency": str(given.get("currency") or "omr"),
            "customer": given.get("customer") or method["customer"],
            "description": given.get("description"),
            "metadata": mapping("metadata", given.get("metadata") or {}),
            "payment_method": method["id"],
            "payment_method_types": ["card"],
            "confirm": True,
            "off_session": True,
        }
        return payment_intents.create(tx, params)

    return act(work)


@blueprint.post("/payment_intents/<intent_id>/authenticate")
def authenticate(intent_id: str) -> Response:
    """Press a button of the 3-D Secure challenge."""
    passed = bool(_known(sent(), "passed").get("passed", True))
    return act(lambda tx: challenges.finish(tx, intent_id, {}, passed))


@blueprint.post("/checkout/<session_id>/pay")
def pay_session(session_id: str) -> Response:
    """Pay as the customer would; a 3-D Secure challenge is passed (or not, if asked).

    `although_expired`: the bank took the money too late for the page.
    """
    given = _known(
        sent(), "payment_method", "card", "billing_details", "authenticate", "although_expired"
    )

    def work(tx: Tx) -> Json:
        session = checkout.open_session(tx, session_id)
        method = _method(tx, given)
        if given.get("although_expired"):
            checkout.pay_expired(tx, session, method)
        else:
            intent = checkout.pay(tx, session, method)
            if intent["status"] == "requires_action":
                challenges.finish(tx, intent["id"], {}, bool(given.get("authenticate", True)))
        return tx.load("checkout.session", session_id)

    return act(work)


@blueprint.post("/checkout/<session_id>/expire")
def expire_session(session_id: str) -> Response:
    return act(lambda tx: checkout.expire(tx, {}, session_id))


# Refunds and disputes -------------------------------------------------------------------------
@blueprint.post("/charges/<charge_id>/refund")
def refund(charge_id: str) -> Response:
    """Refund as someone in Stripe's dashboard would: the portal learns of it by webhook."""
    params: Json = {"charge": charge_id}
    amount = _amount(_known(sent(), "amount"))
    if amount is not None:
        params["amount"] = amount
    return act(lambda tx: refunds.create(tx, params))


@blueprint.post("/refunds/<refund_id>/<outcome>")
def settle_refund(refund_id: str, outcome: str) -> Response:
    """`succeed`: a pending refund arrives. `fail`: the bank sends the money back, even later."""
    given = _known(sent(), "reason")
    reason = str(given.get("reason") or "expired_or_canceled_card")

    def work(tx: Tx) -> Json:
        found = tx.load("refund", refund_id)
        if outcome == "succeed":
            return refunds.succeed(tx, found)
        if outcome == "fail":
            return refunds.fail(tx, found, reason)
        raise StripeError(f"A refund can succeed or fail, not {outcome}.", status=404)

    return act(work)


@blueprint.post("/charges/<charge_id>/dispute")
def dispute(charge_id: str) -> Response:
    """The card holder complains; with `inquiry` their bank only asks."""
    given = _known(sent(), "reason", "amount", "inquiry")
    reason, amount = str(given.get("reason") or "fraudulent"), _amount(given)
    inquiry = bool(given.get("inquiry", False))
    return act(
        lambda tx: disputes.open_dispute(tx, tx.load("charge", charge_id), reason, amount, inquiry)
    )


@blueprint.post("/disputes/<dispute_id>/<outcome>")
def settle_dispute(dispute_id: str, outcome: str) -> Response:
    """`win`, `lose`, `withdraw` (the card holder's doing), `escalate` (an inquiry)."""

    def work(tx: Tx) -> Json:
        found = tx.load("dispute", dispute_id)
        if outcome in ("win", "lose"):
            return disputes.finish(tx, found, won=outcome == "win")
        if outcome == "withdraw":
            return disputes.withdraw(tx, found)
        if outcome == "escalate":
            return disputes.escalate(tx, found)
        raise StripeError(f"There is no such outcome of a dispute: {outcome}.", status=404)

    return act(work)
