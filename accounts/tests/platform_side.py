"""The platform in the tests: a real HTTP server in a thread, and what it is told."""

import threading
from datetime import datetime
from email.message import Message as Headers
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from accounts import outbox
from accounts.models import Account, MessageChannel
from accounts.tests.factories import NOW

SECRET = "whsec_" + "dGhlIHBsYXRmb3Jt" * 2


class Platform:
    """What the platform's server got, and what it answers: one status after the other, then 204."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Headers, bytes]] = []
        self.answers: list[int] = []
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                platform.got.append((self.path, self.headers, body))
                self.send_response(platform.answers.pop(0) if platform.answers else 204)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def header(self, name: str) -> list[str]:
        """Return a header of every request, in order."""
        return [headers[name] for _, headers, _ in self.got]

    def close(self) -> None:
        """Answer no more."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def record(account: Account, key: str = "pause-7", now: datetime = NOW) -> None:
    outbox.record_platform_event(
        account=account,
        event="services.paused",
        key=key,
        data={"reasons": ["negative_balance"]},
        now=now,
    )


def deliver(now: datetime = NOW) -> int:
    return outbox.deliver_due(channel=MessageChannel.PLATFORM, now=now)
