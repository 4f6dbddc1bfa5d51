"""The two hooks of a voice platform, and the receiver of the portal's webhooks. It runs:

    pip install ./clients/python standardwebhooks
    python clients/python/examples/voice_platform.py --url http://127.0.0.1:8000 --key bp_… \\
        --account external:sohar-logistics

makes three calls of a few seconds for an account, reports them, and says what they cost. With
`--webhook-secret whsec_…` it first receives the portal's webhooks at port 9000.
"""

import argparse
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import gettempdir
from typing import Final

from billing_portal_client import (
    ApiError,
    BillingPortal,
    PortalError,
    UsageRecord,
    UsageRecorder,
    new_record_id,
)
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

#: How long somebody who dials may be kept waiting for billing.
PATIENCE_SECONDS: Final = 0.15
#: How long an answer is good for: what a call less costs than asking more often.
FRESH_SECONDS: Final = 5.0
#: How old an answer may be that stands in for a portal that does not answer.
STALE_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Decision:
    """Whether a call may start, and why."""

    allowed: bool
    why: str


class CallGate:
    """Before a call: may it start?

    When the portal does not answer in time, the last answer counts for ten minutes. Without one,
    `fail_open` decides, and that is the platform's choice: open, a customer without credit may call
    for as long as the portal is away, and the balance goes below zero; closed, paying customers
    can't call. Whoever sells minutes opens; whoever sells premium numbers closes.
    """

    def __init__(self, portal: BillingPortal, *, fail_open: bool) -> None:
        self._portal = portal
        self._fail_open = fail_open
        self._answers: dict[tuple[str, str], tuple[float, Decision]] = {}
        self._asking = ThreadPoolExecutor(max_workers=16, thread_name_prefix="authorization")

    def may_start(self, account: str, feature: str = "call_minutes") -> Decision:
        """Decide within PATIENCE_SECONDS, whatever the portal does."""
        asked_at, known = self._answers.get((account, feature), (float("-inf"), None))
        age = time.monotonic() - asked_at
        if known is not None and age < FRESH_SECONDS:
            return known
        try:
            # httpx limits each step; the future limits all of them together.
            return self._asking.submit(self._ask, account, feature).result(PATIENCE_SECONDS)
        except ApiError as error:
            if error.status == 404:  # the portal knows no such account: nobody would pay
                return Decision(allowed=False, why=error.code)
        except (PortalError, TooLate):
            pass
        if known is not None and age < STALE_SECONDS:
            return Decision(known.allowed, f"as {age:.0f} s ago: the portal does not answer")
        return Decision(self._fail_open, "the portal does not answer")

    def forget(self, account: str) -> None:
        """Ask anew before the account's next call."""
        for known in [key for key in self._answers if key[0] == account]:
            self._answers.pop(known, None)

    def _ask(self, account: str, feature: str) -> Decision:
        asked = self._portal.authorization.check(account, feature=feature, timeout=PATIENCE_SECONDS)
        decision = Decision(asked.allowed, ", ".join(asked.reasons) or "services are active")
        self._answers[account, feature] = (time.monotonic(), decision)
        return decision


def call_ended(
    recorder: UsageRecorder, *, call_id: str, account: str, seconds: int, ended_at: datetime
) -> None:
    """After a call: what was used, billed by the second. Returns once it is safe on disk."""
    recorder.record(
        UsageRecord(
            id=call_id,
            account=account,
            feature="call_minutes",
            quantity=(Decimal(seconds) / 60).quantize(Decimal("0.000001")),
            occurred_at=ended_at,
            source="voice_platform.py",
        )
    )


class Webhooks:
    """What the portal tells: verified, each once, and only a reason to ask anew."""

    def __init__(self, secret: str, gate: CallGate) -> None:
        self._verifier = Webhook(secret)
        self._gate = gate
        self._seen: set[str] = set()  # in production: a table, emptied after a week

    def receive(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status to answer with."""
        by_name = {name.lower(): text for name, text in headers.items()}
        try:
            event = self._verifier.verify(body, by_name)
        except WebhookVerificationError:
            return 400
        if by_name["webhook-id"] not in self._seen:
            self._seen.add(by_name["webhook-id"])
            if event["type"] in ("services.paused", "services.resumed"):
                account = event["data"]["account"]
                self._gate.forget(account["id"])
                self._gate.forget(f"external:{account['external_id']}")
        return 204


def serve(webhooks: Webhooks, port: int) -> ThreadingHTTPServer:
    """Receive webhooks in the background."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(webhooks.receive(body, dict(self.headers)))
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    """Make three calls and say what they cost."""
    parser = argparse.ArgumentParser(description="Three calls, authorized and billed.")
    parser.add_argument("--url", required=True, help="the portal's address")
    parser.add_argument("--key", required=True, help="an API key")
    parser.add_argument("--account", required=True, help="an account's id, or external:…")
    parser.add_argument("--spool", type=Path, default=Path(gettempdir()) / "voice-platform-usage")
    parser.add_argument("--fail-closed", action="store_true", help="no answer: no call")
    parser.add_argument("--webhook-secret", help="receive webhooks signed with it at port 9000")
    options = parser.parse_args()
    say = sys.stdout.write
    with (
        BillingPortal(options.url, api_key=options.key) as portal,
        UsageRecorder.in_free_folder(portal, options.spool) as recorder,
    ):
        gate = CallGate(portal, fail_open=not options.fail_closed)
        if options.webhook_secret:
            serve(Webhooks(options.webhook_secret, gate), 9000)
        for seconds in (61, 30, 7):
            decision = gate.may_start(options.account)
            say(f"call of {seconds} s: {'starts' if decision.allowed else 'refused'}")
            say(f" ({decision.why})\n")
            if decision.allowed:
                call_ended(
                    recorder,
                    call_id=f"call-{new_record_id()}",
                    account=options.account,
                    seconds=seconds,
                    ended_at=datetime.now(tz=UTC),
                )
        if not recorder.flush(timeout=10):
            sys.exit(f"The calls wait in {options.spool}: {recorder.status.last_error}")
        for rejected in recorder.rejected():
            say(f"{rejected.record['id']} was rejected: {rejected.code}, {rejected.detail}\n")
        for _, usage in zip(range(3), portal.usage.list(options.account), strict=False):
            say(f"{usage.id}: {usage.quantity} min, {usage.included_quantity} included, ")
            say(f"${usage.amount}, balance ${usage.balance_after}\n")


if __name__ == "__main__":
    main()
