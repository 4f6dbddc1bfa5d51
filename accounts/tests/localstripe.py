"""localstripe, somebody else's stand-in for Stripe, as a second opinion on what the portal asks.

It is GPL-3: a process of its own, never imported. It listens on all interfaces and writes one fixed
file, /tmp/localstripe.pickle, so it is started in tests only, on a free port, from scratch, and the
file goes with it.

What it refuses or leaves out is named here, one by one, and counted, so that nothing else hides.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
import stripe

MISSING = "NO LOCALSTRIPE: the portal was not held against it (pip install -r requirements-dev.txt)"
STATE = Path("/tmp/localstripe.pickle")
KEY = "sk_test_" + "localstripe" * 3

#: Stripe's parameters that it refuses, by method and resource.
REFUSES = {
    ("get", "payment_intents"): {"customer"},
    ("post", "payment_intents"): {"cancellation_reason", "description"},
}


def installed() -> bool:
    """Whether it is there, found without importing it."""
    return find_spec("localstripe") is not None


@contextmanager
def running(port: int, log: Path) -> Iterator[str]:
    """Run it on `port`; yield its address."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "localstripe", "--from-scratch", "--port", str(port)],
            stdout=output,
            stderr=output,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(process, url, log)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=10)
            STATE.unlink(missing_ok=True)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            requests.get(f"{url}/v1/customers", auth=(KEY, ""), timeout=1).raise_for_status()
        except requests.RequestException:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"localstripe did not start: {log.read_text()}") from None
            time.sleep(0.05)
        else:
            return


class Client(stripe.RequestsClient):
    """The SDK's HTTP client, which leaves out what localstripe refuses and says what that was."""

    left_out: Counter[str] = Counter()

    def request(  # type: ignore[override] # as the class it replaces: bytes, and no `_usage`
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        address = urlsplit(url)
        resource = address.path.split("/")[2]
        refused = REFUSES.get((method, resource), set())
        address = address._replace(query=self._without(refused, address.query, resource))
        sent = self._without(refused, post_data or "", resource) or None
        body, status, answered = super().request(method, urlunsplit(address), headers, sent)
        return _completed(body), status, answered

    def _without(self, names: set[str], encoded: str, resource: str) -> str:
        kept = []
        for name, value in parse_qsl(encoded, keep_blank_values=True):
            if name in names:
                self.left_out[f"{resource}: {name}"] += 1
            else:
                kept.append((name, value))
        return urlencode(kept)


def _completed(body: bytes) -> bytes:
    """A payment says how much was received: localstripe leaves that to be guessed."""
    answer = json.loads(body)
    for intent in [answer, *answer.get("data", [])] if isinstance(answer, dict) else []:
        if isinstance(intent, dict) and intent.get("object") == "payment_intent":
            paid = intent["status"] == "succeeded"
            intent["amount_received"] = intent["amount"] if paid else 0
    return json.dumps(answer).encode()
