"""Requests, and when they are repeated.

A request is repeated only where that changes nothing twice: whoever calls says so. What is worth
repeating: no connection, a timeout, an answer cut off, 429, 502, 503, 504, and what the portal is
still at. Nothing else is: any other answer is the portal's word.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from billing_portal_client.errors import (
    ApiError,
    PortalError,
    UnexpectedAnswer,
    Unreachable,
    for_status,
)

_WORTH_REPEATING: Final = frozenset({429, 502, 503, 504})
#: 409 to a repetition that came before the first request was answered. Its Retry-After is when the
#: portal gives the first one up; most are answered long before.
_UNDER_WAY: Final = "request_in_progress"


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how soon a request is repeated: exponential backoff with full jitter.

    Before repetition n it waits a random time up to `first_seconds` × 2ⁿ, at most
    `longest_seconds`, on top of what the portal says in `Retry-After`; when that alone is longer
    than `longest_seconds`, the error is raised at once, with its `retry_after`.
    """

    attempts: int = 4
    first_seconds: float = 0.25
    longest_seconds: float = 8.0

    def delay(self, repetition: int, retry_after: float | None = None) -> float:
        """Return how long to wait before repetition 0, 1, 2 …"""
        ceiling = min(self.longest_seconds, self.first_seconds * 2 ** min(repetition, 30))
        return (retry_after or 0.0) + random.uniform(0, ceiling)  # noqa: S311 (no secret)


#: Ask once. For who has a plan of their own for when the portal does not answer.
NO_RETRIES: Final = Retries(attempts=1)


def is_passing(error: PortalError) -> bool:
    """Whether the same request may well succeed a little later."""
    if isinstance(error, ApiError):
        return error.status in _WORTH_REPEATING or error.code == _UNDER_WAY
    return isinstance(error, Unreachable)


class Transport:
    """One connection pool to one portal. Threads may share it."""

    def __init__(self, *, http: httpx.Client, retries: Retries) -> None:
        self._http = http
        self._retries = retries

    def request(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool,
        json: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        retries: Retries | None = None,
    ) -> Any:
        """Return the decoded answer. Raises ApiError, Unreachable."""
        retries = retries or self._retries
        attempts = retries.attempts if repeatable else 1
        for repetition in range(attempts):
            try:
                return self._once(
                    self._http.build_request(
                        method,
                        path,
                        json=json,
                        content=content,
                        params=params,
                        headers=headers,
                        timeout=self._http.timeout if timeout is None else timeout,
                    )
                )
            except PortalError as error:
                retry_after = None
                if isinstance(error, ApiError) and error.code != _UNDER_WAY:
                    retry_after = error.retry_after
                if (
                    repetition + 1 == attempts
                    or not is_passing(error)
                    or (retry_after or 0) > retries.longest_seconds
                ):
                    raise
                time.sleep(retries.delay(repetition, retry_after))
        raise AssertionError("a request is made at least once")

    def _once(self, request: httpx.Request) -> Any:
        try:
            response = self._http.send(request)
        except (httpx.TransportError, httpx.DecodingError) as error:
            name = type(error).__name__
            raise Unreachable(f"{request.method} {request.url}: {name} {error}".strip()) from error
        if not response.is_success:
            raise _refusal(response)
        try:
            return response.json()
        except ValueError as error:
            raise UnexpectedAnswer(
                f"{request.method} {request.url}: {response.status_code}, but no JSON"
            ) from error


def _refusal(response: httpx.Response) -> ApiError:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    fields = body.get("fields")
    return for_status(response.status_code)(
        status=response.status_code,
        code=str(body.get("code", "")),
        detail=str(body.get("detail", "")) or response.reason_phrase,
        fields=fields if isinstance(fields, dict) else {},
        retry_after=_retry_after(response.headers.get("Retry-After")),
    )


def _retry_after(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for: it holds seconds or a date."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(tz=UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
