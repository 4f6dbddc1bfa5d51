"""The web application: the API, the pages a customer sees, the control calls."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

from flask import Flask, Response
from werkzeug.exceptions import InternalServerError

from . import REFUSAL, api, bank, board, control, debug_is_off, pages
from .delivery import Courier
from .errors import StripeError
from .resources import checkout, refunds
from .store import Store

_SWEEP_SECONDS = 1


def _sweep(store: Store) -> None:
    """Expire payment pages and settle refunds on time, even when no one looks at them."""
    while True:
        time.sleep(_SWEEP_SECONDS)
        with store.transaction(path="sweep") as tx:
            checkout.expire_due(tx)
            refunds.settle_due(tx)


def create_app(
    data_dir: str | None = None, public_url: str = "", *, in_background: bool = True
) -> Flask:
    """Open the state, start the couriers, and serve.

    Without what goes on `in_background` nothing happens but what is asked for: no event is
    delivered, and what is due at a time waits for somebody to set the clock.
    """
    if debug_is_off():
        raise RuntimeError(REFUSAL)
    folder = Path(data_dir or os.environ.get("STRIPE_SANDBOX_DATA_DIR", ".data/stripe_sandbox"))
    app = Flask(__name__)
    app.config["PUBLIC_URL"] = (
        public_url or os.environ.get("STRIPE_SANDBOX_PUBLIC_URL", "")
    ).rstrip("/")
    app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024
    store = Store(folder)
    app.extensions["store"] = store
    for part in (api, pages, control, bank, board):
        app.register_blueprint(part.blueprint)
    app.register_error_handler(StripeError, _refused)
    app.register_error_handler(InternalServerError, _broken)
    if in_background:
        courier = Courier(store)
        store.on_commit = courier.nudge
        courier.start()
        threading.Thread(target=_sweep, args=(store,), name="sweep", daemon=True).start()
    return app


def _broken(error: InternalServerError) -> Response:
    """A mistake of the sandbox's own, in a shape the SDK understands."""
    problem = StripeError(
        f"The sandbox failed: {error.original_exception!r}", status=500, kind="api_error"
    )
    return _refused(problem)


def _refused(error: StripeError) -> Response:
    """Pages and control calls answer in the same shape as the API."""
    return Response(json.dumps(error.body()), error.status, mimetype="application/json")
