"""What `/metrics` tells Prometheus: gauges, asked of the database when they are asked for.

Each is one query over an index, or over a window that ends now, so that it costs the same however
long the ledger is. Which of them are worth an alarm is in `operations/alerts.yml`.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Min, Q
from djstripe.models import WebhookEventTrigger
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from accounts import webhook_endpoint
from accounts.models import Account, Message
from billing_portal.models import AuditReport, Heartbeat
from invoices.models import OPEN_STATUSES, ReconciliationFinding, Status, Transaction
from invoices.reconciliation_models import FindingKind
from plans.models import Renewal, RenewalStatus, Subscription
from wallet import refills
from wallet.models import AutoRefill, Wallet

logger = structlog.get_logger(__name__)

METRIC_TIMEOUT_MILLISECONDS = 2000
#: Stripe answers within seconds; what has no answer by then is asked for by the sweeper.
UNKNOWN_AFTER = timedelta(minutes=1)
USAGE_WINDOW = timedelta(minutes=1)
#: Beat looks every minute: what has been due for longer waits for a limit, or for beat.
OVERDUE_AFTER = timedelta(minutes=4)
NEWEST_EVENTS = 10_000
QUANTILES = (0.5, 0.95, 1.0)


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
            self._settling,
            self._usage,
            self._refills,
            self._wallets,
            self._paused,
            self._subscriptions,
            self._renewals,
            self._outbox,
            self._findings,
            self._audit,
            self._events,
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

    def _settling(self) -> Iterator[Metric]:
        asked = Transaction.objects.filter(
            status=Status.PROCESSING,
            expired_at__isnull=True,
            created_at__lt=self.now - UNKNOWN_AFTER,
        )
        yield GaugeMetricFamily(
            "billing_portal_payments_unknown",
            "Charges whose outcome Stripe has not told for a minute.",
            value=asked.count(),
        )
        yield _quantiles(
            "settlement_seconds",
            "From asking Stripe to a paid transaction, of those of the last hour.",
            """
            SELECT percentile_disc(%(quantiles)s) WITHIN GROUP (
                ORDER BY extract(epoch FROM paid_at - coalesce(asked_at, created_at)))
            FROM invoices_transaction WHERE paid_at > %(since)s AND paid_at <= %(now)s
            """,
            since=self.now - timedelta(hours=1),
            now=self.now,
        )

    def _usage(self) -> Iterator[Metric]:
        since = self.now - USAGE_WINDOW
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM plans_usagerecord"
                " WHERE recorded_at > %s AND recorded_at <= %s",
                [since, self.now],
            )
            (records,) = cursor.fetchone()
        yield GaugeMetricFamily(
            "billing_portal_usage_records_per_second",
            "Usage records taken in, in the last minute.",
            value=records / USAGE_WINDOW.total_seconds(),
        )
        yield _quantiles(
            "usage_lag_seconds",
            "From the end of a call to its record, of those of the last minute.",
            """
            SELECT percentile_disc(%(quantiles)s) WITHIN GROUP (
                ORDER BY greatest(0, extract(epoch FROM recorded_at - occurred_at)))
            FROM plans_usagerecord WHERE recorded_at > %(since)s AND recorded_at <= %(now)s
            """,
            since=since,
            now=self.now,
        )

    def _refills(self) -> Iterator[Metric]:
        switched_on = AutoRefill.objects.filter(enabled=True)
        suspended = switched_on.filter(suspended_at__isnull=False).count()
        yield _by(
            "auto_refills",
            "Auto-refills that are switched on: working, or suspended after declines.",
            "state",
            [("working", switched_on.count() - suspended), ("suspended", suspended)],
        )
        yield GaugeMetricFamily(
            "billing_portal_auto_refills_due",
            "Auto-refills that should be charged now.",
            value=refills.due(now=self.now).count(),
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
        due = Renewal.objects.filter(status=RenewalStatus.DUE)
        yield GaugeMetricFamily(
            "billing_portal_renewals_due",
            "Renewals that are to be charged now, the first time or again.",
            value=due.filter(next_attempt_at__lte=self.now).count(),
        )
        yield GaugeMetricFamily(
            "billing_portal_renewals_overdue",
            "Renewals whose next attempt should have been made.",
            value=due.filter(next_attempt_at__lt=self.now - OVERDUE_AFTER).count(),
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

    def _audit(self) -> Iterator[Metric]:
        newest = AuditReport.objects.first()
        if newest is None:
            return
        yield GaugeMetricFamily(
            "billing_portal_audit_violations",
            "Rows that break an invariant (I1 to I16), by the newest audit: the books' drift.",
            value=newest.violations,
        )
        yield GaugeMetricFamily(
            "billing_portal_audit_age_seconds",
            "Time since the newest audit began.",
            value=self._age(newest.began_at),
        )

    def _events(self) -> Iterator[Metric]:
        """Of the newest events only: dj-stripe keeps all of them, without an index by time."""
        newest = WebhookEventTrigger.objects.order_by("-pk").values_list("pk", flat=True).first()
        events = WebhookEventTrigger.objects.filter(
            pk__gt=(newest or 0) - NEWEST_EVENTS, created__gt=self.now - timedelta(hours=1)
        )
        outcomes = events.aggregate(
            carried_out=Count("pk", filter=Q(processed=True)),
            failed=Count("pk", filter=~Q(exception="")),
            not_carried_out=Count("pk", filter=Q(processed=False, exception="")),
        )
        yield _by(
            "webhook_events",
            "What became of Stripe's events of the last hour, of the newest 10,000.",
            "outcome",
            outcomes.items(),
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


def _quantiles(name: str, text: str, statement: str, **parameters: datetime) -> Metric:
    """Return a gauge of the median, the 95th percentile and the most; of nothing, none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, {"quantiles": list(QUANTILES), **parameters})
        (found,) = cursor.fetchone()
    pairs = zip(QUANTILES, found or (), strict=False)
    values = ((f"{quantile:g}", value) for quantile, value in pairs)
    return _by(name, text, "quantile", values)
