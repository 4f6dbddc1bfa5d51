"""What a browser sees: Stripe.js, its card field, the challenge, the payment page, receipts."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Blueprint, Response, current_app, render_template, request

from . import challenges, money
from .errors import Json, StripeError
from .resources import checkout, intents, payment_methods
from .store import TEMPLATES, Tx
from .web import act, as_json, public_url, sent, store

blueprint = Blueprint("pages", __name__)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'"
)
# What a browser sends when its card is typed into a page of ours.
_FRAMED = ("/elements/", "/3ds/")


@blueprint.after_app_request
def guard(answer: Response) -> Response:
    """A strict policy on our pages; only the card field and the challenge may be framed."""
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers.setdefault("Cache-Control", "no-store")
    if answer.mimetype == "text/html":
        ancestors = "*" if request.path.startswith(_FRAMED) else "'none'"
        answer.headers["Content-Security-Policy"] = f"{_POLICY}; frame-ancestors {ancestors}"
        answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """None: a browser asks for it beside every page, and a 404 would stand in its console."""
    return Response(status=204)


@blueprint.get("/v3")
@blueprint.get("/v3/")
@blueprint.get("/stripe.js")
def stripe_js() -> Response:
    """The drop-in for https://js.stripe.com/v3/."""
    answer = current_app.send_static_file("stripe.js")
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@blueprint.get("/elements/card")
def card_element() -> str:
    return render_template("card.html")


def _merchant() -> str:
    return str(TEMPLATES["account"]["business_profile"]["name"])


@blueprint.get("/3ds/<intent_id>")
def challenge(intent_id: str) -> str:
    """The bank's page: prove who you are."""
    with store().transaction(path=request.path) as tx:
        kind = "setup_intent" if intent_id.startswith("seti_") else "payment_intent"
        secret = {"client_secret": request.args.get("client_secret") or "none"}
        intent = intents.load(tx, kind, intent_id, secret)
        method = tx.get(intent["payment_method"]) if intent["payment_method"] else None
    amount = money.display(intent["amount"], intent["currency"]) if "amount" in intent else None
    return render_template(
        "challenge.html",
        intent=intent,
        amount=amount,
        merchant=_merchant(),
        last4=method["card"]["last4"] if method else "",
        redirect=request.args.get("redirect", ""),
    )


@blueprint.post("/3ds/<intent_id>")
def answer_challenge(intent_id: str) -> Response:
    """One of its buttons was pressed."""
    given = sent()
    params = {"client_secret": given.get("client_secret") or "none"}

    def work(tx: Tx) -> Json:
        intent = challenges.finish(tx, intent_id, params, given.get("passed") is True)
        return {"status": intent["status"], "return_url": _return_url(tx, intent)}

    answer = act(work)
    if answer.status_code != 402:
        return answer
    with store().transaction(path=request.path) as tx:  # declined after the challenge
        intent = tx.load("payment_intent", intent_id)
        return as_json({"status": intent["status"], "return_url": _return_url(tx, intent)})


def _return_url(tx: Tx, intent: Json) -> str | None:
    """Where the confirming page wanted to be called back, with Stripe's parameters added."""
    url = tx.private(intent["id"]).get("return_url")
    if not url:
        return None
    kind = intent["object"]
    failed = intent["status"] == "requires_payment_method"
    added = {
        kind: intent["id"],
        f"{kind}_client_secret": intent["client_secret"],
        "redirect_status": "failed" if failed else "succeeded",
    }
    parts = urlsplit(str(url))
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added.items()])
    return urlunsplit(parts._replace(query=query))


@blueprint.get("/c/pay/<session_id>")
def payment_page(session_id: str) -> tuple[str, int]:
    """The hosted payment page."""
    try:
        with store().transaction(path=request.path, public_url=public_url()) as tx:
            session = checkout.open_session(tx, session_id)
            items: list[Json] = tx.private(session_id)["line_items"]
            customer = tx.get(session["customer"]) if session["customer"] else None
    except StripeError:
        return render_template(
            "message.html",
            title="This page could not be found",
            text="Check the address, or ask the merchant for a new link.",
        ), 404
    shown: dict[str, Any] = {
        "session": session,
        "merchant": _merchant(),
        "items": [
            {**item, "amount": money.display(item["amount_total"], item["currency"])}
            for item in items
        ],
        "total": money.display(session["amount_total"], session["currency"]),
        "email": (customer or {}).get("email") or session["customer_email"] or "",
        "success": _success_url(session),
    }
    if session["status"] != "open":
        return render_template("closed.html", **shown), 200
    return render_template("pay.html", **shown), 200


def _success_url(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


@blueprint.post("/c/pay/<session_id>")
def pay(session_id: str) -> Response:
    """The Pay button."""
    given = sent()
    card: Any = given.get("card")
    details = {name: str(given.get(name) or "") or None for name in ("email", "name")}

    def work(tx: Tx) -> Json:
        session = checkout.open_session(tx, session_id)
        if session["status"] == "open":
            data = {"type": "card", "card": _typed(card), "billing_details": details}
            intent = checkout.pay(tx, session, payment_methods.from_data(tx, data))
            if intent["status"] == "requires_action":
                action = intent["next_action"]["use_stripe_sdk"]
                return {"status": "requires_action", "challenge": action["stripe_js"]}
        return _outcome(tx, session_id)

    return act(work)


def _typed(card: Any) -> Json:
    """The card as a browser typed it: text, to be read with care."""
    if not isinstance(card, dict):
        raise StripeError("Your card number is incomplete.", code="incomplete_number")
    month, year = str(card.get("exp_month", "")), str(card.get("exp_year", ""))
    if not (month.isdecimal() and year.isdecimal()):
        raise StripeError("Your card's expiration date is incomplete.", code="incomplete_expiry")
    return {
        "number": str(card.get("number", "")),
        "exp_month": int(month),
        "exp_year": int(year),
        "cvc": str(card.get("cvc", "")) or None,
    }


@blueprint.get("/c/pay/<session_id>/outcome")
def outcome(session_id: str) -> Response:
    """How it stands, asked after a challenge."""
    return act(lambda tx: _outcome(tx, session_id))


def _outcome(tx: Tx, session_id: str) -> Json:
    session = tx.load("checkout.session", session_id)
    answer: Json = {"status": session["status"]}
    if session["status"] == "complete":
        answer["redirect"] = _success_url(session)
    elif session["payment_intent"]:
        error = tx.load("payment_intent", session["payment_intent"])["last_payment_error"]
        if error:
            failed = error["code"] == "payment_intent_authentication_failure"
            answer["message"] = (
                "We are unable to authenticate your payment method. Please choose a different "
                "payment method and try again."
                if failed
                else error["message"]
            )
    return answer


@blueprint.get("/receipts/<charge_id>")
def receipt(charge_id: str) -> tuple[str, int]:
    """Stripe's own little receipt."""
    with store().transaction(path=request.path) as tx:
        charge = tx.get(charge_id)
    if charge is None or charge["object"] != "charge":
        return render_template("message.html", title="No such receipt", text=""), 404
    amount = money.display(charge["amount"], charge["currency"])
    text = f"{charge['description'] or 'Payment'}: {charge['status']}."
    return render_template("message.html", title=f"{_merchant()}: {amount}", text=text), 200
