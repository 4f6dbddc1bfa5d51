"""What every log line says beside its own facts: which request or task it came from, for whom.

A request has an id: the proxy's `X-Request-ID` where that is well-formed, else a new one. The
answer carries it, the lines of the request do, and so do those of the tasks that it sent. The
account and the person are bound where they are found out (`accounts/event_log.py`).

Each request leaves one line, with the pattern of its address and not the address: invitations and
password resets have secrets in theirs.
"""

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from celery import signals
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

log = structlog.get_logger("billing_portal.requests")

HEADER = "X-Request-ID"
#: Nothing that could end a line or a header, and no longer than ids are.
_WELL_FORMED = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_TASK_HEADER = "portal_request_id"
_NAMED_BY_ADDRESS = {"id": "account", "number": "transaction"}


class RequestContextMiddleware:
    """Give the request its id. First of all, so that whatever refuses it has one, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Go before what answers."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Bind the id, let the rest answer, write it on the answer, and log how it went."""
        began = time.perf_counter()
        given = request.headers.get(HEADER, "")
        request_id = given if _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response.headers[HEADER] = request_id
        if not request.path.startswith(f"/{settings.STATIC_URL.strip('/')}/"):
            log.info(
                "request",
                method=request.method,
                route=request.resolver_match.route if request.resolver_match else None,
                status=response.status_code,
                milliseconds=round((time.perf_counter() - began) * 1000),
            )
        return response

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: dict[str, Any]
    ) -> None:
        """Bind what the address names: an account of the API's, a transaction of a page's."""
        for parameter, name in _NAMED_BY_ADDRESS.items():
            value = str(kwargs.get(parameter, ""))
            if _WELL_FORMED.fullmatch(value):
                structlog.contextvars.bind_contextvars(**{name: value})


def connect() -> None:
    """Have tasks carry and bind the id of the request that sent them."""
    signals.before_task_publish.connect(_send_along)
    signals.task_prerun.connect(_bind_task)
    signals.task_postrun.connect(_forget_task)


def _send_along(headers: dict[str, Any] | None = None, **sent: Any) -> None:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if headers is not None and request_id:
        headers[_TASK_HEADER] = request_id


def _bind_task(task_id: str, task: Any, **sent: Any) -> None:
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)
    # A message's headers are what a task knows of the request that it is.
    request_id = getattr(task.request, _TASK_HEADER, None)
    if request_id:
        structlog.contextvars.bind_contextvars(request_id=request_id)


def _forget_task(**sent: Any) -> None:
    structlog.contextvars.clear_contextvars()
