"""Is it alive, may it be used, how is it doing: `/healthz`, `/readyz` and `/metrics`.

These answer without a login and never say more than which part is wrong; the log has the rest.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection
from kombu.exceptions import ChannelError
from kombu.exceptions import OperationalError as BrokerError
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from accounts import webhook_endpoint
from accounts.models import Account, Message
from billing_portal.celery import app
from billing_portal.models import Heartbeat
from invoices.models import OPEN_STATUSES, ReconciliationFinding, Transaction
from invoices.reconciliation_models import FindingKind
from plans.models import Renewal, RenewalStatus, Subscription
from wallet.models import Wallet

logger = structlog.get_logger(__name__)

#: The heartbeat of the task that beat sends every minute (see tasks.py).
TICK = "beat"
#: Three ticks may be missed before somebody should look.
HEARTBEAT_FRESH_FOR = timedelta(minutes=4)
#: A portal that has just started has not been ticked yet.
STARTING_FOR_SECONDS = 180.0
BROKER_TIMEOUT_SECONDS = 2
METRIC_TIMEOUT_MILLISECONDS = 2000

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
    parts["beat"] = (
        _beat(now=timezone.now(), uptime=time.monotonic() - _process_started)
        if parts["database"] == OK
        else FAILED
    )
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


class PortalCollector(Collector):
    """Asks the database when Prometheus asks us. A query that takes too long leaves a gap."""

    def __init__(self, *, now: datetime) -> None:
        self.now = now

    def collect(self) -> Iterable[Metric]:
        """Yield each gauge that could be read, and how many could not."""
        failed = 0
        for gauge in (
            self._transactions,
            self._open_transactions,
            self._wallets,
            self._paused,
            self._subscriptions,
            self._renewals,
            self._outbox,
            self._findings,
            self._heartbeats,
            self._webhooks,
        ):
            try:
                yield from self._read(gauge)
            except DatabaseError:
                logger.warning("a metric could not be read", metric=gauge.__name__, exc_info=True)
                failed += 1
        yield GaugeMetricFamily(
            "billing_portal_metrics_failed", "Metrics that could not be read.", value=failed
        )

    def _read(self, gauge: Callable[[], Iterator[Metric]]) -> list[Metric]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true)",
                [str(METRIC_TIMEOUT_MILLISECONDS)],
            )
            return list(gauge())

    def _transactions(self) -> Iterator[Metric]:
        yield _by(
            "transactions",
            "Transactions by status.",
            "status",
            Transaction.objects.order_by().values_list("status").annotate(Count("pk")),
        )

    def _open_transactions(self) -> Iterator[Metric]:
        yield _by(
            "open_transactions_oldest_seconds",
            "Age of the oldest transaction whose outcome is not known.",
            "status",
            (
                (status, self._age(oldest))
                for status, oldest in Transaction.objects.filter(
                    status__in=OPEN_STATUSES, expired_at__isnull=True
                )
                .order_by()
                .values_list("status")
                .annotate(Min("created_at"))
            ),
        )

    def _wallets(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "billing_portal_wallets_negative",
            "Wallets below zero.",
            value=Wallet.objects.filter(balance__lt=0).count(),
        )

    def _paused(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "billing_portal_accounts_paused",
            "Accounts whose services are paused.",
            value=Account.objects.exclude(pause_reasons=[]).count(),
        )

    def _subscriptions(self) -> Iterator[Metric]:
        yield _by(
            "subscriptions",
            "Subscriptions by status.",
            "status",
            Subscription.objects.order_by().values_list("status").annotate(Count("pk")),
        )

    def _renewals(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "billing_portal_renewals_overdue",
            "Renewals whose next attempt should have been made.",
            value=Renewal.objects.filter(
                status=RenewalStatus.DUE, next_attempt_at__lt=self.now - HEARTBEAT_FRESH_FOR
            ).count(),
        )

    def _outbox(self) -> Iterator[Metric]:
        waiting = list(
            Message.objects.filter(sent_at__isnull=True)
            .order_by()
            .values_list("channel")
            .annotate(Count("pk"), Min("created_at"))
        )
        yield _by(
            "outbox_waiting",
            "Messages not yet sent.",
            "channel",
            ((channel, count) for channel, count, _ in waiting),
        )
        yield _by(
            "outbox_oldest_seconds",
            "Age of the oldest message not yet sent.",
            "channel",
            ((channel, self._age(oldest)) for channel, _, oldest in waiting),
        )

    def _findings(self) -> Iterator[Metric]:
        findings = ReconciliationFinding.objects.filter(dealt_with_at__isnull=True)
        counts = dict(findings.values_list("kind").annotate(count=Count("pk")).order_by())
        yield _by(
            "reconciliation_findings",
            "Differences from Stripe's payments that nobody has dealt with.",
            "kind",
            ((kind.value, counts.get(kind.value, 0)) for kind in FindingKind),
        )

    def _heartbeats(self) -> Iterator[Metric]:
        yield _by(
            "heartbeat_age_seconds",
            "Time since a scheduled job last ran to its end.",
            "name",
            ((name, self._age(at)) for name, at in Heartbeat.objects.values_list("name", "at")),
        )

    def _webhooks(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "billing_portal_webhook_events_missing",
            "Kinds of events that Stripe was not told to send: run register_webhooks.",
            value=len(webhook_endpoint.missing_events(portal_url=settings.PORTAL_URL)),
        )

    def _age(self, moment: datetime) -> float:
        return (self.now - moment).total_seconds()


def _by(name: str, text: str, label: str, values: Iterable[tuple[Any, ...]]) -> Metric:
    family = GaugeMetricFamily(f"billing_portal_{name}", text, labels=[label])
    for key, value in values:
        family.add_metric([str(key)], value)
    return family
