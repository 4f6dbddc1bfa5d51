"""A sandbox process of our own, a webhook receiver, and a merchant's page with a strict CSP."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
import stripe

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk_test_" + "sandbox" * 4
PUBLISHABLE = "pk_test_" + "sandbox" * 4


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sandbox:
    """A running sandbox and the ways to talk to it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "stripe_sandbox",
                "--port",
                str(self.port),
                "--data-dir",
                str(self.data_dir),
            ],
            cwd=ROOT,
            env={**os.environ, "DEBUG": "1"},
        )
        wait_for(self._answers, 60)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the sandbox ended at once"
        try:
            return requests.get(f"{self.url}/_sandbox/health", timeout=2).ok
        except requests.RequestException:  # not there yet, or too busy to answer in time
            return False

    def stop(self) -> float:
        """End it; answers with how long that took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        return time.monotonic() - began

    @property
    def client(self) -> Any:
        """The real SDK, pointed here, without retries of its own."""
        return stripe.StripeClient(KEY, base_addresses={"api": self.url}, max_network_retries=0).v1

    def control(self, path: str, body: Any = None, method: str = "POST") -> Any:
        answer = requests.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=10)
        return answer.json()

    def call(self, method: str, path: str, data: Any = None, **headers: str) -> requests.Response:
        """A raw API call."""
        return requests.request(
            method,
            self.url + path,
            data=data,
            headers={
                "Authorization": f"Bearer {KEY}",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
            timeout=20,
        )

    def event_types(self, object_id: str) -> list[str]:
        """What happened to an object, oldest first."""
        events = self.client.events.list({"limit": 100}).data
        return [event.type for event in reversed(events) if event.data.object["id"] == object_id]


class Receiver:
    """A webhook endpoint that remembers what came and answers as told."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, str]] = []
        self.answers: list[int] = []
        self.during: Callable[[], None] = lambda: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                payload = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((payload, self.headers["Stripe-Signature"]))
                receiver.during()
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def types(self) -> list[str]:
        return [json.loads(payload)["type"] for payload, _ in self.received]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def wait_for(condition: Callable[[], Any], seconds: float = 8) -> Any:
    """The first true answer; fails when there is none in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")
