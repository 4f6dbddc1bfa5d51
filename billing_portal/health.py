"""Is it alive, may it be used, how is it doing: `/healthz`, `/readyz` and `/metrics`.

These answer without a login and never say more than which part is wrong; the log has the rest.
"""

import os
import secrets
import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection
from kombu.exceptions import ChannelError
from kombu.exceptions import OperationalError as BrokerError
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from accounts import outbox, webhook_endpoint
from billing_portal.celery import app
from billing_portal.metrics import PortalCollector
from billing_portal.models import Heartbeat

logger = structlog.get_logger(__name__)

#: The heartbeat of the task that beat sends every minute (see tasks.py).
TICK = "beat"
#: Beat ticks every minute.
HEARTBEAT_FRESH_FOR = timedelta(minutes=3)
#: Messages are sent each minute.
OUTBOX_STALLED_AFTER = timedelta(minutes=10)
#: A portal that has just started has not been ticked yet.
STARTING_FOR_SECONDS = 180.0
BROKER_TIMEOUT_SECONDS = 2

_process_started = time.monotonic()

OK, STARTING, INCOMPLETE, FAILED = "ok", "starting", "incomplete", "failed"


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. Touches nothing else: a restart would not mend a database."""
    return JsonResponse({"status": OK})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Say for each part that the portal needs whether it works: 200 if all do, else 503.

    Webhooks that Stripe was not told to send are only said: the sweeper asks for what they tell.
    """
    parts = {"database": _database(), "broker": _broker()}
    now, uptime = timezone.now(), time.monotonic() - _process_started
    works = parts["database"] == OK
    parts["beat"] = _beat(now=now, uptime=uptime) if works else FAILED
    parts["outbox"] = _outbox(now=now, uptime=uptime) if works else FAILED
    states = set(parts.values())
    if parts["database"] == OK:
        parts["webhooks"] = _webhooks()
    status = FAILED if FAILED in states else STARTING if STARTING in states else OK
    return JsonResponse({"status": status, "parts": parts}, status=503 if status == FAILED else 200)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Gauges for Prometheus, for whoever has METRICS_TOKEN; on a laptop, for the laptop."""
    if not _may_see_metrics(request):
        return HttpResponse(
            "Send METRICS_TOKEN as a bearer token.\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    registry = CollectorRegistry()
    registry.register(PortalCollector(now=timezone.now()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


# Readiness ------------------------------------------------------------------------------------
def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        logger.warning("database is not ready", exc_info=True)
        return FAILED
    return OK


def _broker() -> str:
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS if _has_folder_broker() else {}
    if options:
        writable = os.access(str(options["data_folder_out"]), os.W_OK | os.X_OK)
        return OK if writable else FAILED
    try:
        with _broker_connection():
            pass
    except (BrokerError, OSError):
        logger.warning("broker is not ready", exc_info=True)
        return FAILED
    return OK


def queue_length() -> int | None:
    """Return how many tasks wait for a worker; None when the broker does not answer."""
    try:
        with _broker_connection() as broker:
            queue = app.conf.task_default_queue
            # Every transport's channel has it; their common type does not say so.
            channel: Any = broker.default_channel
            declared = channel.queue_declare(queue, passive=True)
    except ChannelError:
        # Nothing has been sent to it yet.
        return 0
    except (BrokerError, OSError):
        logger.warning("the queue cannot be counted", exc_info=True)
        return None
    return int(declared.message_count)


def _broker_connection() -> Connection:
    if _has_folder_broker():
        return app.connection_for_write()
    timeouts = {
        "socket_connect_timeout": BROKER_TIMEOUT_SECONDS,
        "socket_timeout": BROKER_TIMEOUT_SECONDS,
    }
    broker = app.connection_for_write(transport_options=timeouts)
    broker.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_TIMEOUT_SECONDS)
    return broker


def _has_folder_broker() -> bool:
    return str(settings.CELERY_BROKER_URL).startswith("filesystem://")


def _beat(*, now: datetime, uptime: float) -> str:
    try:
        last = Heartbeat.objects.filter(name=TICK).values_list("at", flat=True).first()
    except DatabaseError:
        logger.warning("the heartbeat cannot be read", exc_info=True)
        return FAILED
    if last is not None and now - last <= HEARTBEAT_FRESH_FOR:
        return OK
    return STARTING if uptime < STARTING_FOR_SECONDS else FAILED


def _outbox(*, now: datetime, uptime: float) -> str:
    try:
        stalled = outbox.is_stalled(now=now, after=OUTBOX_STALLED_AFTER)
    except DatabaseError:
        logger.warning("the outbox cannot be read", exc_info=True)
        return FAILED
    if not stalled:
        return OK
    return STARTING if uptime < STARTING_FOR_SECONDS else FAILED


def _webhooks() -> str:
    try:
        missing = webhook_endpoint.missing_events(portal_url=settings.PORTAL_URL)
    except DatabaseError:
        logger.warning("the webhook endpoint cannot be read", exc_info=True)
        return FAILED
    return INCOMPLETE if missing else OK


# Metrics --------------------------------------------------------------------------------------
def _may_see_metrics(request: HttpRequest) -> bool:
    token: str = settings.METRICS_TOKEN
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if token and scheme.lower() == "bearer":
        return secrets.compare_digest(given.strip().encode(), token.encode())
    direct = "X-Forwarded-For" not in request.headers
    return settings.DEBUG and direct and request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1"}
