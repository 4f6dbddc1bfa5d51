"""The pace of charges: how many a second all processes together ask Stripe for.

A charge is sent at a moment of its own. The database hands the moments out, one UPDATE of one row,
so that web servers, workers and commands share one limit; nothing is locked while a moment is
waited for. They are so far apart that a charge may be a little late and no second, wherever it
begins, sees more than `STRIPE_CHARGES_PER_SECOND`; one that would come later still takes another.

Whoever charges many in one go (a renewal run) does so `in_background()`: it is given no moment
further ahead than QUEUE_SECONDS and asks again. All others are given the next free one, however far
ahead. So a customer who pays, or a wallet that is refilled, waits for a quarter of a second of a
run's charges at most, and not for a hundred thousand.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import stripe
from django.conf import settings
from django.db import connection

#: Every charge and every hold is one of these.
CHARGES = ("post", "/v1/payment_intents")

#: How far ahead moments are handed out to runs in the background.
QUEUE_SECONDS = 0.25
#: How long anybody else waits for one; beyond that, nothing is asked of Stripe for now.
PATIENCE_SECONDS = 5
#: How much later than its moment a charge may reach Stripe, for it to count in the second it was
#: meant for. So much longer than a second is what a second's worth of moments takes.
SPREAD_SECONDS = 0.05
#: How late it may leave this process: the rest of the spread is for its way.
LATEST_SECONDS = 0.03
#: A process that is late so many times in a row has no time to charge.
TRIES = 20

_TAKE = """
INSERT INTO accounts_gatewaypace AS pace (name, next_at)
VALUES ('charges', clock_timestamp() + %(apart)s * interval '1 second')
ON CONFLICT (name) DO UPDATE SET next_at = %(apart)s * interval '1 second' + CASE
    -- So far ahead nothing was handed out: the server's clock has been set back.
    WHEN pace.next_at > clock_timestamp() + interval '1 minute' THEN clock_timestamp()
    ELSE greatest(pace.next_at, clock_timestamp())
END
WHERE pace.next_at <= clock_timestamp() + %(ahead)s * interval '1 second'
   OR pace.next_at > clock_timestamp() + interval '1 minute'
RETURNING extract(epoch FROM
    next_at - %(apart)s * interval '1 second' - clock_timestamp())::double precision
"""

_is_in_background: ContextVar[bool] = ContextVar("charges_in_background", default=False)
#: A process asks for one moment of the background at a time, however many threads wait for one.
_background_queue = threading.Lock()


class TooBusy(stripe.APIConnectionError):
    """No moment was free soon enough: Stripe was not asked."""

    def __init__(self) -> None:
        super().__init__("Too many charges wait for Stripe.", should_retry=False)


@contextmanager
def in_background() -> Iterator[None]:
    """Within, this thread's charges let those of everybody else go first."""
    token = _is_in_background.set(True)
    try:
        yield
    finally:
        _is_in_background.reset(token)


class _Moment(NamedTuple):
    """When to send, on this process's monotonic clock: at `at`, but before `until`."""

    at: float
    until: float


def wait_for_moment() -> None:
    """Wait until a charge may be sent. Raises TooBusy. Never call it in a database transaction."""
    for _ in range(TRIES):
        moment = _in_background_moment() if _is_in_background.get() else _take(PATIENCE_SECONDS)
        if moment is None:
            raise TooBusy
        time.sleep(max(0, moment.at - time.monotonic()))
        if time.monotonic() < moment.until:
            return
    raise TooBusy


def _in_background_moment() -> _Moment:
    with _background_queue:
        while (moment := _take(QUEUE_SECONDS)) is None:
            time.sleep(QUEUE_SECONDS / 4)
        return moment


def _take(ahead: float) -> _Moment | None:
    """Take the next free moment; None when it is further ahead than `ahead` seconds.

    The database said how far ahead it is at some time between question and answer: neither too
    early by the one nor too late by the other.
    """
    apart = (1 + SPREAD_SECONDS) / settings.STRIPE_CHARGES_PER_SECOND
    asked_at = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"apart": apart, "ahead": ahead})
        row = cursor.fetchone()
    if row is None:
        return None
    return _Moment(at=time.monotonic() + row[0], until=asked_at + row[0] + LATEST_SECONDS)


class PacedClient(stripe.HTTPClient):
    """The SDK's client that sends each charge at its moment, and asks again after a 429.

    The SDK asks again, under the same key and after a pause that grows, when an answer's headers
    tell it to. For a 429 (too many requests, an object that is locked by another) it is told so
    here: nothing has happened yet, and soon it may.
    """

    name = "paced"

    def __init__(self, client: stripe.HTTPClient) -> None:
        super().__init__()
        self._client = client

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Pass a request on, a charge at its moment."""
        if (method, urlsplit(url).path) == CHARGES:
            wait_for_moment()
        body, status, answered = self._client.request(method, url, headers, post_data)
        if status == 429:
            answered = {**answered, "stripe-should-retry": "true"}
        return body, status, answered

    def close(self) -> None:
        """Close what the client holds open."""
        self._client.close()
