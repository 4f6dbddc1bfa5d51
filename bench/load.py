"""Who asks: a process of its own that sends requests over kept-alive connections.

Sockets and epoll, nothing between: requests are bytes that were made before, and of an answer only
status and length are read. It takes about a twentieth of what a request costs the server, so that
what is measured is the server.
"""

import multiprocessing
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Load:
    """What to send: the requests in turn, by so many connections.

    Each connection sends the next one as soon as its last was answered. With a `rate`, requests
    come when they are due, so many a second, whether earlier ones were answered or not; what waits
    for a free connection counts as waiting for the server. With `seconds`, no request is sent
    after them, and the requests are repeated if they run out before.
    """

    port: int
    requests: Sequence[bytes]
    connections: int = 1
    rate: float | None = None
    seconds: float | None = None


@dataclass
class Answers:
    """What came back. Latencies are in milliseconds, from when a request was due."""

    seconds: float = 0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def number(self) -> int:
        """How many requests were answered."""
        return len(self.latencies)

    def percentile(self, percent: float) -> float:
        """Return the latency that so many percent of the answers did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    def check(self) -> Self:
        """Return self. Raises AssertionError unless every answer was 200."""
        assert self.number, "nothing was answered"
        assert set(self.statuses) == {200}, f"answers were {dict(self.statuses)}"
        return self


def request(method: str, path: str, *, key: str, body: bytes = b"") -> bytes:
    """Return a request as a proxy that speaks HTTPS passes it on."""
    head = [
        f"{method} {path} HTTP/1.1",
        "Host: billing.example.com",
        "X-Forwarded-Proto: https",
        f"Authorization: Bearer {key}",
        "Accept: application/json",
    ]
    if body:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


class Loader:
    """A process that sends loads, one after the other."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join(timeout=10)

    def start(self, load: Load) -> None:
        """Begin to send, and do not wait."""
        self._pipe.send(load)

    def finish(self) -> Answers:
        """Wait for what came back. Raises AssertionError unless every answer was 200."""
        answers: Answers = self._pipe.recv()
        return answers.check()

    def send(self, load: Load) -> Answers:
        """Send, and wait for what came back."""
        self.start(load)
        return self.finish()


def _serve(pipe: Connection) -> None:
    while True:
        try:
            load = pipe.recv()
        except EOFError:
            return
        pipe.send(_Sender(load).run())


class _Channel:
    """A connection, and the request that is being answered on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = 0.0
        self._answer = b""

    def send(self, request: bytes, due: float) -> None:
        self.due, self._answer = due, b""
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Read what is there; return the status once the answer is complete."""
        piece = self.socket.recv(256 * 1024)
        if not piece:
            raise ConnectionError("the server closed a kept-alive connection")
        self._answer += piece
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end:
            return None
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        length = int(lower[at:].split(b"\r\n", 1)[0])
        return int(head[9:12]) if len(body) >= length else None


class _Sender:
    """One load while it is sent."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.answers = Answers()
        self.next = 0
        self.idle = deque(_Channel(load.port) for _ in range(load.connections))
        self.selector = selectors.DefaultSelector()
        for channel in self.idle:
            self.selector.register(channel.socket, selectors.EVENT_READ, channel)

    def run(self) -> Answers:
        self.started = time.perf_counter()
        busy = 0
        while True:
            busy += self._send_what_is_due()
            wait = self._until_next()
            if not busy and wait is None:
                break
            for key, _ in self.selector.select(wait if self.idle else None):
                channel: _Channel = key.data
                status = channel.receive()
                if status is not None:
                    self.answers.statuses[status] += 1
                    self.answers.latencies.append((time.perf_counter() - channel.due) * 1000)
                    self.idle.append(channel)
                    busy -= 1
        self.answers.seconds = time.perf_counter() - self.started
        for channel in self.idle:
            channel.socket.close()
        return self.answers

    def _due(self) -> float | None:
        """Return when the next request is due, or None when there is none."""
        load = self.load
        now = time.perf_counter()
        due = now if load.rate is None else self.started + self.next / load.rate
        if load.seconds is None:
            return due if self.next < len(load.requests) else None
        return due if due < self.started + load.seconds else None

    def _send_what_is_due(self) -> int:
        sent = 0
        while self.idle:
            due = self._due()
            if due is None or due > time.perf_counter():
                break
            requests = self.load.requests
            self.idle.popleft().send(requests[self.next % len(requests)], due)
            self.next += 1
            sent += 1
        return sent

    def _until_next(self) -> float | None:
        due = self._due()
        return None if due is None else max(0.0, due - time.perf_counter())
