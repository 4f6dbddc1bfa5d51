"""Stripe as a run of renewals meets it: slow, limited, and with a memory for keys.

A process of its own that needs neither Django nor the sandbox, for what it costs must be small
beside what a renewal does. It notes when each charge arrives; one that is one too many in the
second that ends with it is a 429. Asked again under a key it answers the same. `GET /told` says
what it has seen.
"""

import argparse
import asyncio
import json
import time
from collections import Counter, deque
from typing import Any, Final
from urllib.parse import parse_qs

_SECOND: Final = 1.0


class StandIn:
    """What it has seen, and what it answers."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._last_second: deque[float] = deque()
        self._answers: dict[str, bytes] = {}
        self._keys_of: dict[str, str] = {}
        self.told: Counter[str] = Counter()
        self.first_at = self.last_at = 0.0

    def charge(self, key: str, form: dict[str, list[str]]) -> tuple[int, bytes]:
        """Take a charge that arrives now; return status and answer."""
        now = time.monotonic()
        while self._last_second and self._last_second[0] <= now - _SECOND:
            self._last_second.popleft()
        if len(self._last_second) >= self._limit:
            self.told["refused"] += 1
            return 429, _json({"error": {"type": "invalid_request_error", "code": "rate_limit"}})
        self._last_second.append(now)
        self.told["most_in_a_second"] = max(self.told["most_in_a_second"], len(self._last_second))
        self.first_at, self.last_at = self.first_at or now, now
        if key in self._answers:
            self.told["asked_again"] += 1
            return 200, self._answers[key]
        number = form["metadata[transaction]"][0]
        if self._keys_of.setdefault(number, key) != key:
            self.told["charged_twice"] += 1
        self.told["charges"] += 1
        answer = self._answers[key] = _payment(self.told["charges"], form)
        return 200, answer

    def tell(self) -> bytes:
        """Say what was seen."""
        names = ("charges", "asked_again", "charged_twice", "refused", "most_in_a_second")
        return _json(
            {name: self.told[name] for name in names}
            | {"first_at": self.first_at, "last_at": self.last_at, "now": time.monotonic()}
        )


def _payment(number: int, form: dict[str, list[str]]) -> bytes:
    amount = int(form["amount"][0])
    return _json(
        {
            "id": f"pi_{number}",
            "object": "payment_intent",
            "status": "succeeded",
            "amount": amount,
            "amount_received": amount,
            "currency": form["currency"][0],
            "created": int(time.time()),
            "metadata": {"transaction": form["metadata[transaction]"][0]},
            "latest_charge": {
                "id": f"ch_{number}",
                "object": "charge",
                "payment_method_details": {"card": {"brand": "visa", "last4": "4242"}},
            },
        }
    )


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


class Connection(asyncio.Protocol):
    """One connection, kept open: HTTP as the SDK speaks it, a request at a time."""

    def __init__(self, stand_in: StandIn, *, seconds: float) -> None:
        self._stand_in = stand_in
        self._seconds = seconds
        self._received = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers go through."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take a request when all of it is there."""
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        request, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(_header(line) for line in lines)
        if len(body) < int(headers.get("content-length", "0")):
            return
        self._received = b""
        method, path, _ = request.split(" ", 2)
        if method == "POST" and path == "/v1/payment_intents":
            status, answer = self._stand_in.charge(
                headers["idempotency-key"], parse_qs(body.decode())
            )
            loop = asyncio.get_running_loop()
            loop.call_later(self._seconds if status == 200 else 0, self._answer, status, answer)
        elif path == "/told":
            self._answer(200, self._stand_in.tell())
        else:
            self._answer(404, _json({"error": {"type": "invalid_request_error"}}))

    def _answer(self, status: int, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )


async def _serve(port: int, limit: int, seconds: float) -> None:
    stand_in = StandIn(limit=limit)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(stand_in, seconds=seconds), "127.0.0.1", port
    )
    await server.serve_forever()


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--limit", type=int, default=80)
    parser.add_argument("--milliseconds", type=int, default=150)
    options = parser.parse_args()
    asyncio.run(_serve(options.port, options.limit, options.milliseconds / 1000))


if __name__ == "__main__":
    main()
