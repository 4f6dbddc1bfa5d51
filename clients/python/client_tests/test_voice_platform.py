"""The example of the platform's two hooks does what it says."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from billing_portal_client import UsageRecorder
from django.utils import timezone
from examples import voice_platform
from examples.voice_platform import CallGate, Decision, Webhooks
from standardwebhooks.webhooks import Webhook

from accounts import service_state
from accounts.models import Account, PauseReason
from client_tests.conftest import LivePortal

SECRET = "whsec_" + "c2VjcmV0" * 4
CUSTOMER = "external:customer-42"


def told(
    event: str, account: Account, message: str, *, secret: str = SECRET
) -> tuple[bytes, dict[str, str]]:
    """A webhook as the portal sends it: body and headers."""
    content = {"account": {"id": str(account.pk), "external_id": account.external_id}}
    body = json.dumps({"type": event, "timestamp": "2026-11-23T09:30:00Z", "data": content})
    now = datetime.now(tz=UTC)
    return body.encode(), {
        "Webhook-Id": message,
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(secret).sign(message, now, body),
    }


def test_a_paused_account_is_refused_as_soon_as_the_webhook_comes(
    live: LivePortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice_platform, "PATIENCE_SECONDS", 10)
    live.provision()
    account = Account.objects.get()
    gate = CallGate(live.client, fail_open=True)
    webhooks = Webhooks(SECRET, gate)
    assert gate.may_start(CUSTOMER) == Decision(allowed=True, why="services are active")

    service_state.pause(
        account_ids=[account.pk],
        note="Under review.",
        reason=PauseReason.LOCKED,
        now=timezone.now(),
    )
    assert gate.may_start(CUSTOMER).allowed, "a fresh answer is not asked for again"
    assert (
        webhooks.receive(*told("services.paused", account, "m1", secret="whsec_" + "bm9uZQ==" * 4))
        == 400
    )
    assert gate.may_start(CUSTOMER).allowed, "anybody could have sent that"
    assert webhooks.receive(*told("services.paused", account, "m1")) == 204
    assert gate.may_start(CUSTOMER) == Decision(allowed=False, why="locked")
    assert gate.may_start("external:nobody") == Decision(allowed=False, why="unknown_account")


@pytest.mark.parametrize("fail_open", [True, False])
def test_without_an_answer_in_time_the_platform_decides(
    live: LivePortal, monkeypatch: pytest.MonkeyPatch, fail_open: bool
) -> None:
    live.provision()
    gate = CallGate(live.client, fail_open=fail_open)
    live.proxy.plan.append("slow")
    began = time.monotonic()
    decision = gate.may_start(CUSTOMER)
    assert time.monotonic() - began < 1
    assert decision == Decision(allowed=fail_open, why="the portal does not answer")

    monkeypatch.setattr(voice_platform, "PATIENCE_SECONDS", 10)
    monkeypatch.setattr(voice_platform, "FRESH_SECONDS", 0)
    assert gate.may_start(CUSTOMER).allowed
    live.proxy.down = True
    assert gate.may_start(CUSTOMER).allowed, "what was known a moment ago"


def test_a_call_is_billed_by_the_second_once_however_often_it_ends(
    live: LivePortal, tmp_path: Path
) -> None:
    live.provision()
    ended_at = datetime.now(tz=UTC)
    with UsageRecorder(live.client, tmp_path, batch_seconds=0) as recorder:
        for _ in range(2):
            voice_platform.call_ended(
                recorder, call_id="call-1", account=CUSTOMER, seconds=61, ended_at=ended_at
            )
        assert recorder.flush(timeout=20)
    assert live.ledger() == {"call-1": Decimal("1.016667")}


def test_it_runs_against_a_portal(live: LivePortal, tmp_path: Path) -> None:
    live.provision()
    ran = subprocess.run(
        [sys.executable, voice_platform.__file__, "--url", live.url, "--key", live.token,
         "--account", CUSTOMER, "--spool", str(tmp_path)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("starts") == 3
    assert "7 s" in ran.stdout
    assert sum(live.ledger().values()) == Decimal("1.633334")
    assert "balance $-0.245000" in ran.stdout
