"""What the API, the pages and the control calls share about one HTTP request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flask import Response, current_app, request

from .errors import Json, ParameterError, StripeError
from .store import Store, Tx


def store() -> Store:
    """This process's state."""
    found: Store = current_app.extensions["store"]
    return found


def public_url() -> str:
    """Where a browser reaches the sandbox."""
    configured: str = current_app.config["PUBLIC_URL"]
    return configured or request.host_url.rstrip("/")


def as_json(body: Any, status: int = 200) -> Response:
    answer = Response(json.dumps(body, indent=2) + "\n", status, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def act(work: Callable[[Tx], Json]) -> Response:
    """Run in one transaction; a decline is an answer and keeps its traces."""
    with store().transaction(path=request.path, public_url=public_url()) as tx:
        try:
            return as_json(work(tx))
        except StripeError as error:
            if not error.keeps_state:
                raise
            return as_json(error.body(), error.status)


def sent() -> Json:
    """The request's JSON object; nothing at all counts as an empty one."""
    if not request.get_data():
        return {}
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise ParameterError("The body must be a JSON object.")
    return body
