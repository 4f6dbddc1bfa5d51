"""Sending events to webhook endpoints: signed as Stripe does, retried, in the background.

Workers claim a delivery under the store's lock, let go of it, talk to the network, and take the
lock again to write down the outcome. A receiver may therefore call the API while it is served.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import ssl
import threading
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from .store import Store

WORKERS = 4
TIMEOUT_SECONDS = 15
BACKOFF_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300, 600)
MAXIMUM_ATTEMPTS = 20


@dataclass(frozen=True)
class Parcel:
    """One delivery, ready to go."""

    number: int
    event: str
    url: str
    payload: bytes
    secret: str
    attempt: int


def sign(payload: bytes, secret: str, moment: int) -> str:
    """The value of the `Stripe-Signature` header."""
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + payload, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()}"


def _connect(address: SplitResult) -> http.client.HTTPConnection:
    """A connection for one request, not opened yet."""
    if address.scheme == "https":
        return http.client.HTTPSConnection(
            address.netloc, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
        )
    return http.client.HTTPConnection(address.netloc, timeout=TIMEOUT_SECONDS)


def post(parcel: Parcel) -> tuple[bool, str]:
    """Send it once; redirects are failures, as with Stripe."""
    address = urlsplit(parcel.url)
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Accept": "*/*; q=0.5, application/xml",
        "Cache-Control": "no-cache",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Stripe-Signature": sign(parcel.payload, parcel.secret, int(time.time())),
    }
    try:
        connection = _connect(address)
    except (ValueError, http.client.HTTPException) as error:  # an address with a bad port
        return False, f"{type(error).__name__}: {error}"
    try:
        connection.request("POST", target, parcel.payload, headers)
        status = connection.getresponse().status
        return 200 <= status < 300, str(status)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return False, f"{type(error).__name__}: {error}"
    finally:
        connection.close()


class Courier:
    """The background threads that empty the queue."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wake = threading.Condition()
        self._in_flight: set[int] = set()
        self._nudged = 0

    def start(self) -> None:
        """Begin with whatever an earlier run left pending."""
        for number in range(WORKERS):
            threading.Thread(target=self._work, name=f"courier-{number}", daemon=True).start()

    def nudge(self) -> None:
        """Something may be due."""
        with self._wake:
            self._nudged += 1
            self._wake.notify_all()

    def _work(self) -> None:
        while True:
            seen = self._nudged
            parcel, wait = self._claim()
            if parcel is None:
                with self._wake:
                    if self._nudged == seen:
                        self._wake.wait(wait)
                continue
            delivered, answer = post(parcel)
            self._settle(parcel, delivered, answer)

    def _claim(self) -> tuple[Parcel | None, float]:
        """The next due delivery, or how long to sleep."""
        moment = time.time()
        with self._store.quiet() as tx:
            rows = tx.connection.execute(
                "SELECT id, event, endpoint, attempts, due FROM deliveries "
                "WHERE state = 'pending' ORDER BY due, id LIMIT ?",
                (WORKERS + 1,),
            ).fetchall()
            for number, event_id, endpoint_id, attempts, due in rows:
                if number in self._in_flight:
                    continue
                if due > moment:
                    return None, min(due - moment, 5.0)
                event, endpoint = tx.get(event_id), tx.get(endpoint_id)
                if event is None or endpoint is None or endpoint["status"] != "enabled":
                    tx.connection.execute(
                        "UPDATE deliveries SET state = 'dropped' WHERE id = ?", (number,)
                    )
                    continue
                self._in_flight.add(number)
                payload = json.dumps(event, indent=2).encode()
                secret = tx.private(endpoint_id)["secret"]
                return Parcel(number, event_id, endpoint["url"], payload, secret, attempts + 1), 0
        return None, 5.0

    def _settle(self, parcel: Parcel, delivered: bool, answer: str) -> None:
        """Write down how it went, and when to try again."""
        state = "delivered" if delivered else "pending"
        if not delivered and parcel.attempt >= MAXIMUM_ATTEMPTS:
            state = "failed"
        pause = BACKOFF_SECONDS[min(parcel.attempt, len(BACKOFF_SECONDS)) - 1]
        with self._store.quiet() as tx:
            tx.connection.execute(
                "UPDATE deliveries SET state = ?, attempts = ?, due = ?, answer = ? WHERE id = ?",
                (state, parcel.attempt, time.time() + pause, answer, parcel.number),
            )
            self._in_flight.discard(parcel.number)
            event = tx.get(parcel.event)
            if delivered and event is not None and event["pending_webhooks"] > 0:
                event["pending_webhooks"] -= 1
                tx.save(event)
