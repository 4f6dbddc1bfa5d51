"""Stripe's HTTP API: who calls, with what, whether they did before, and what they get."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, Response, request

from . import params as parameters
from .errors import Json, ParameterError, StripeError
from .expand import expand
from .faults import FAULTS
from .resources import (
    charges,
    checkout,
    customers,
    disputes,
    hooks,
    payment_intents,
    payment_methods,
    refunds,
    setup_intents,
)
from .routing import Route
from .sockets import drop_connection
from .store import Tx, random_text
from .web import public_url, store

_DAY = 24 * 3600
_MODULES = (
    charges,
    checkout,
    customers,
    disputes,
    hooks,
    payment_intents,
    payment_methods,
    refunds,
    setup_intents,
)
# What Stripe shows to a browser, which holds only the publishable key.
_HIDDEN = (
    "customer",
    "metadata",
    "latest_charge",
    "application",
    "on_behalf_of",
    "review",
    "transfer_data",
    "transfer_group",
)

blueprint = Blueprint("api", __name__)
_in_flight: set[str] = set()
_in_flight_lock = threading.Lock()


@dataclass
class Answer:
    """What goes over the wire, ready to be remembered."""

    status: int
    body: Json
    request_id: str
    replayed: bool = False
    shed: bool = False

    def response(self) -> Response:
        answer = Response(
            json.dumps(self.body, indent=2) + "\n", self.status, mimetype="application/json"
        )
        answer.headers["Request-Id"] = self.request_id
        if self.replayed:
            answer.headers["Idempotent-Replayed"] = "true"
            answer.headers["Original-Request"] = self.request_id
        return answer


def _key() -> str:
    """The API key of a Bearer or basic header."""
    header = request.headers.get("Authorization", "")
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().split(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _authenticate(public: bool) -> bool:
    """Refuse strangers; answer whether the caller is a browser."""
    key = _key()
    if not key:
        raise StripeError(
            "You did not provide an API key. You need to provide your API key in the "
            "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
            "YOUR_SECRET_KEY').",
            status=401,
        )
    if key.startswith(("sk_live_", "rk_live_", "pk_live_")):
        raise StripeError(
            "This is a sandbox: it never takes a live key. Revoke the key if it is a real one.",
            status=401,
        )
    if key.startswith("pk_test_") and len(key) > len("pk_test_"):
        if not public:
            raise StripeError(
                "This API call cannot be made with a publishable API key. Please use a secret "
                "API key.",
                status=401,
                code="secret_key_required",
            )
        return True
    if not key.startswith(("sk_test_", "rk_test_")) or len(key) < 12:
        shown = f"{key[:8]}{'*' * 8}{key[-4:]}" if len(key) > 16 else "*" * len(key)
        raise StripeError(f"Invalid API Key provided: {shown}", status=401)
    return False


def _raw() -> str:
    if request.method == "POST":
        return request.get_data(as_text=True)
    return request.query_string.decode()


def _in_transaction(
    route: Route, values: tuple[str, ...], given: Json, tx: Tx
) -> tuple[int, Json, bool]:
    """Run the handler. Refusals undo what it did; declines keep it, as with Stripe.

    Answers with whether the idempotency key is used up: bad parameters leave it free.
    """
    final = True
    tx.connection.execute("SAVEPOINT work")
    paths = given.pop("expand", None) or []
    try:
        body = expand(tx, route.handler(tx, given, *values), paths)
        status = 200
    except StripeError as error:
        if not error.keeps_state:
            tx.connection.execute("ROLLBACK TO work")
        final = not isinstance(error, ParameterError)
        status, body = error.status, error.body()
    tx.connection.execute("RELEASE work")
    if tx.publishable:
        _hide(body)
    return status, body, final


def _hide(body: Json) -> None:
    """Take away what a browser may not see, also inside an error."""
    error = body.get("error", {})
    for shown in (body, error.get("payment_intent"), error.get("setup_intent")):
        if isinstance(shown, dict) and shown.get("object") in ("payment_intent", "setup_intent"):
            for name in _HIDDEN:
                shown.pop(name, None)


def run(route: Route, values: tuple[str, ...]) -> Answer:
    """One call, from its headers to its answer."""
    request_id = "req_" + random_text(14)
    shed = False
    try:
        publishable = _authenticate(route.public)
        raw = _raw()
        schema = {**route.schema, "expand": parameters.list_of(parameters.text)}
        given = parameters.check(parameters.parse(raw), schema, route.required)
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if key is not None and not 0 < len(key) <= 255:
            raise ParameterError("Idempotency-Key must have 1 to 255 characters")
        held = _hold(key)
        try:
            _suffer()
            shed = FAULTS.take("drop_connection", request.path, request.method) is not None
            answer = _execute(route, values, given, raw, key, request_id, publishable)
            _wait("delay_answer")
        finally:
            if held:
                with _in_flight_lock:
                    _in_flight.discard(held)
    except StripeError as error:
        answer = Answer(error.status, error.body(), request_id)
    answer.shed = shed
    return answer


def _hold(key: str | None) -> str | None:
    """At most one request at a time per idempotency key."""
    if key is None:
        return None
    with _in_flight_lock:
        if key in _in_flight:
            raise StripeError(
                "There is currently another in-progress request using this Idempotent Key (that "
                "probably means you submitted twice, and the other request is still going "
                f"through): {key}. Please try again later.",
                status=409,
                kind="idempotency_error",
                code="idempotency_key_in_use",
            )
        _in_flight.add(key)
    return key


def _suffer() -> None:
    """Planned delays and outages; nothing is held meanwhile but the idempotency key."""
    _wait("delay")
    outage = FAULTS.take("status", request.path, request.method)
    if outage is None:
        return
    if outage.status == 429:
        raise ParameterError(
            "Request rate limit exceeded. Learn more about rate limits here "
            "https://stripe.com/docs/rate-limits.",
            status=429,
            code="rate_limit",
        )
    raise ParameterError(
        "An unknown error occurred",
        status=outage.status,
        kind="api_error" if outage.status >= 500 else "invalid_request_error",
    )


def _wait(action: str) -> None:
    delay = FAULTS.take(action, request.path, request.method)
    if delay:
        time.sleep(delay.seconds)


def _execute(
    route: Route,
    values: tuple[str, ...],
    given: Json,
    raw: str,
    key: str | None,
    request_id: str,
    publishable: bool,
) -> Answer:
    """Replay the first answer to this key, or act and remember the answer."""
    with store().transaction(
        request_id=request_id,
        idempotency_key=key,
        publishable=publishable,
        path=request.path,
        public_url=public_url(),
    ) as tx:
        content = f"{request.method} {request.path} {raw}".encode()
        fingerprint = hashlib.sha256(content).hexdigest()
        if key is not None:
            earlier = _recall(tx, key, fingerprint)
            if earlier:
                return earlier
        status, body, final = _in_transaction(route, values, given, tx)
        if key is not None and final:
            tx.connection.execute(
                "INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?)",
                (key, fingerprint, status, json.dumps(body), request_id, tx.now),
            )
        return Answer(status, body, request_id)


def _recall(tx: Tx, key: str, fingerprint: str) -> Answer | None:
    """The first answer, for a day; another body under the same key is a mistake."""
    tx.connection.execute(
        "DELETE FROM idempotency WHERE key = ? AND created < ?", (key, tx.now - _DAY)
    )
    row = tx.connection.execute(
        "SELECT fingerprint, status, body, request_id FROM idempotency WHERE key = ?", (key,)
    ).fetchone()
    if row is None:
        return None
    if row[0] != fingerprint:
        raise StripeError(
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{key}' if you meant to execute a "
            "different request.",
            kind="idempotency_error",
        )
    return Answer(row[1], json.loads(row[2]), row[3], replayed=True)


def _view(route: Route) -> Callable[..., Response]:
    def view(**values: str) -> Response:
        answer = run(route, tuple(values[name] for name in sorted(values)))
        if answer.shed:
            drop_connection(request.environ)
        return answer.response()

    return view


def register() -> None:
    """Every resource's routes."""
    for module in _MODULES:
        for route in module.ROUTES:
            blueprint.add_url_rule(
                route.path,
                endpoint=f"{route.method} {route.path}".replace(".", "_"),
                view_func=_view(route),
                methods=[route.method],
                provide_automatic_options=False,
            )


@blueprint.route("/v1/<path:rest>", methods=["GET", "POST", "DELETE", "PUT", "PATCH"])
def unknown(rest: str) -> Response:
    """No such address."""
    error = StripeError(
        f"Unrecognized request URL ({request.method}: {request.path}). The sandbox has the "
        "resources its README lists.",
        status=404,
    )
    return Answer(404, error.body(), "req_" + random_text(14)).response()


@blueprint.route("/v1/<path:rest>", methods=["OPTIONS"])
def preflight(rest: str) -> Response:
    """Stripe.js calls from the merchant's page."""
    return Response(status=204)


@blueprint.after_request
def allow_browsers(answer: Response) -> Response:
    """CORS, as api.stripe.com has it; the publishable key guards what may be called."""
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Stripe-Version"
    answer.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
    answer.headers["Access-Control-Expose-Headers"] = "Request-Id"
    answer.headers["Cache-Control"] = "no-store"
    return answer


register()
