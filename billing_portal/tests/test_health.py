"""What the health addresses say, to whom, and with which status."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import delivery_log, outbox, webhook_endpoint
from accounts.models import Card, Message
from accounts.tests.factories import make_account
from billing_portal import health, metrics
from billing_portal.models import AuditReport, Heartbeat
from invoices.tests.factories import make_transaction
from plans import usage
from plans.tests.factories import make_record
from plans.tests.subscribers import make_subscriber
from wallet.tests.factories import switch_on

if TYPE_CHECKING:
    from conftest import Sandbox

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def just_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_process_started", health.time.monotonic())


@pytest.fixture
def long_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_process_started", health.time.monotonic() - 3600)


@pytest.fixture
def no_database() -> Iterator[None]:
    with mock.patch.object(health.connection, "cursor", side_effect=OperationalError("secret")):
        yield


def ready(client: Client) -> tuple[int, dict[str, Any]]:
    response = client.get("/readyz")
    return response.status_code, response.json()


def test_healthz_needs_nothing_but_the_process(client: Client) -> None:
    response = client.get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}
    assert "no-store" in response["Cache-Control"]
    assert client.post("/healthz").status_code == 405


@pytest.mark.django_db
def test_ready_with_a_fresh_heartbeat(client: Client, long_running: None) -> None:
    Heartbeat.objects.create(name=health.TICK, at=timezone.now() - timedelta(minutes=1))

    ok = dict.fromkeys(["database", "broker", "beat", "outbox"], "ok")
    parts = {**ok, "webhooks": "incomplete"}
    assert ready(client) == (200, {"status": "ok", "parts": parts})


@pytest.mark.django_db
def test_webhooks_are_complete_when_stripe_was_told_of_every_event(
    client: Client, sandbox: "Sandbox", settings: Settings
) -> None:
    def said() -> tuple[str, bool]:
        gauge = "billing_portal_webhook_events_missing 0.0"
        answer = client.get("/metrics", headers={"Authorization": "Bearer a-token-for-metrics"})
        return ready(client)[1]["parts"]["webhooks"], gauge in answer.content.decode()

    settings.METRICS_TOKEN = "a-token-for-metrics"
    assert said() == ("incomplete", False)
    webhook_endpoint.register_endpoint(portal_url=settings.PORTAL_URL)
    assert said() == ("ok", True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("age", "uptime", "expected"),
    [
        (timedelta(0), 3600, "ok"),
        (timedelta(minutes=3), 3600, "ok"),
        (timedelta(minutes=3, seconds=1), 3600, "failed"),
        (timedelta(days=3), 3600, "failed"),
        (timedelta(days=3), 10, "starting"),
        (None, 10, "starting"),
        (None, 3600, "failed"),
    ],
)
def test_the_heartbeat_has_a_grace_only_after_a_start(
    age: timedelta | None, uptime: float, expected: str
) -> None:
    if age is not None:
        Heartbeat.objects.create(name=health.TICK, at=NOW - age)

    assert health._beat(now=NOW, uptime=uptime) == expected


@pytest.mark.django_db
def test_a_portal_that_has_just_started_is_usable(client: Client, just_started: None) -> None:
    status, body = ready(client)

    assert (status, body["status"], body["parts"]["beat"]) == (200, "starting", "starting")


@pytest.mark.django_db
def test_not_ready_without_ticks(client: Client, long_running: None) -> None:
    status, body = ready(client)

    assert (status, body["status"], body["parts"]["beat"]) == (503, "failed", "failed")


def test_not_ready_without_a_database_and_tells_no_secret(
    client: Client, no_database: None
) -> None:
    response = client.get("/readyz")

    assert response.status_code == 503
    failed = dict.fromkeys(["database", "beat", "outbox"], "failed")
    assert response.json()["parts"] == {**failed, "broker": "ok"}
    assert b"secret" not in response.content


@pytest.mark.django_db
def test_not_ready_without_a_broker(client: Client, just_started: None) -> None:
    unreachable = health.app.connection_for_write("redis://127.0.0.1:1/0")
    with mock.patch.object(health.app, "connection_for_write", return_value=unreachable):
        status, body = ready(client)

    assert (status, body["parts"]["broker"]) == (503, "failed")


def test_the_folder_broker_must_be_writable(settings: Any, tmp_path: Path) -> None:
    settings.CELERY_BROKER_URL = "filesystem://"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_out": str(tmp_path)}
    assert health._broker() == "ok"

    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_out": str(tmp_path / "gone")}
    assert health._broker() == "failed"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("token", "debug", "headers", "address", "status"),
    [
        ("t0ken", False, {"Authorization": "Bearer t0ken"}, "10.0.0.9", 200),
        ("t0ken", False, {"Authorization": "bearer  t0ken "}, "10.0.0.9", 200),
        ("t0ken", False, {"Authorization": "Bearer wrong"}, "10.0.0.9", 401),
        ("t0ken", False, {"Authorization": "Bearer tökén"}, "10.0.0.9", 401),
        ("t0ken", False, {"Authorization": "Basic t0ken"}, "10.0.0.9", 401),
        ("t0ken", False, {}, "127.0.0.1", 401),
        ("", False, {"Authorization": "Bearer "}, "127.0.0.1", 401),
        ("", True, {}, "127.0.0.1", 200),
        ("", True, {}, "::1", 200),
        ("", True, {}, "10.0.0.9", 401),
        ("", True, {"X-Forwarded-For": "10.0.0.9"}, "127.0.0.1", 401),
    ],
)
def test_metrics_are_not_public(
    client: Client,
    settings: Any,
    token: str,
    debug: bool,
    headers: dict[str, str],
    address: str,
    status: int,
) -> None:
    settings.METRICS_TOKEN, settings.DEBUG = token, debug

    response = client.get("/metrics", headers=headers, REMOTE_ADDR=address)

    assert response.status_code == status


@pytest.mark.django_db
def test_metrics_are_in_the_format_of_prometheus(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = "t0ken"
    Heartbeat.objects.create(name=health.TICK, at=timezone.now())

    response = client.get("/metrics", headers={"Authorization": "Bearer t0ken"})
    text = response.content.decode()

    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    assert (
        "# TYPE billing_portal_wallets_negative gauge\nbilling_portal_wallets_negative 0.0" in text
    )
    assert 'billing_portal_heartbeat_age_seconds{name="beat"}' in text
    assert "billing_portal_metrics_failed 0.0" in text


@pytest.mark.django_db
def test_a_metric_that_takes_too_long_leaves_a_gap(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = "t0ken"

    def slow(self: object) -> Iterator[Any]:
        with health.connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        yield

    with (
        mock.patch.object(metrics, "METRIC_TIMEOUT_MILLISECONDS", 50),
        mock.patch.object(metrics.PortalCollector, "_wallets", slow),
    ):
        text = client.get("/metrics", headers={"Authorization": "Bearer t0ken"}).content.decode()

    assert "wallets_negative" not in text
    assert "billing_portal_metrics_failed 1.0" in text


@pytest.mark.django_db
def test_an_outbox_that_nobody_works_off_turns_it_red(client: Client, long_running: None) -> None:
    """Not a queue that is worked off, nor an address that takes nothing: each was tried."""
    now = timezone.now()
    Heartbeat.objects.create(name=health.TICK, at=now)

    def state(minutes_due: int) -> tuple[int, str]:
        Message.objects.update(next_attempt_at=now - timedelta(minutes=minutes_due))
        status, body = ready(client)
        return status, body["parts"]["outbox"]

    outbox.record_email(
        account=make_account(),
        event="services_resumed",
        key="services_resumed:1",
        context={"path": "/billing/"},
        now=now,
    )
    assert state(9) == (200, "ok")
    assert state(11) == (503, "failed")

    message = Message.objects.get()
    delivery_log.note(
        message=message, started_at=now, duration=timedelta(seconds=1), status=None, error="no"
    )
    assert state(11) == (200, "ok")


@pytest.mark.django_db
def test_metrics_tell_how_usage_payments_refills_and_events_go(
    client: Client, settings: Any, add_card: Callable[..., Card]
) -> None:
    """A call reported 90 seconds after its end, a payment settled after 4, a refill that is due."""
    settings.METRICS_TOKEN = "t0ken"
    now = timezone.now()
    salim = make_subscriber(add_card, "growth", now=now - timedelta(days=1))
    switch_on(salim, threshold="25", amount="25", now=now)
    seconds = timedelta(seconds=1)
    call = make_record(salim, "12", occurred_at=now - 100 * seconds)
    usage.record(records=[call], now=now - 10 * seconds)
    make_transaction(
        salim,
        asked_at=now - 14 * seconds,
        paid_at=now - 10 * seconds,
        receipt_number="BT-900001",
    )
    make_transaction(salim, status="processing", created_at=now - 120 * seconds)
    AuditReport.objects.create(began_at=now - 60 * seconds, violations=2)

    text = client.get("/metrics", headers={"Authorization": "Bearer t0ken"}).content.decode()

    for line in (
        'usage_lag_seconds{quantile="0.95"} 90.0',
        f"usage_records_per_second {1 / 60}",
        'settlement_seconds{quantile="0.5"} 4.0',
        "payments_unknown 1.0",
        'auto_refills{state="working"} 1.0',
        "auto_refills_due 1.0",
        "renewals_due 0.0",
        "audit_violations 2.0",
        'webhook_events{outcome="failed"} 0.0',
        "metrics_failed 0.0",
    ):
        assert f"billing_portal_{line}\n" in text
