"""Trouble between the portal and Stripe, injected from outside: an HTTP client of the SDK's kind.

It stands where the gateway makes its client and passes requests on to the real one, but for those
that the plan is for. The product knows nothing of it.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from unittest import mock
from urllib.parse import urlsplit

import stripe

from accounts import gateway

#: The SDK asks twice more under the same key; only after that is a request lost.
TRIES = 3


def die() -> None:
    """End this process as a power cut does: no handler runs, nothing is flushed or rolled back."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Trouble:
    """What happens to the next `times` requests of `method` whose path begins with `path`.

    `lands` says whether Stripe gets the request and acts on it before the trouble strikes;
    `passes`, how many such requests go well before. `meanwhile` is what others do at that moment;
    after a `wait` for it the request and its answer get through.
    """

    does: Literal["kill", "timeout", "reset", "answer", "wait"]
    path: str = "/v1/payment_intents"
    method: str = "post"
    lands: bool = False
    status: int = 500
    times: int = TRIES
    passes: int = 0
    meanwhile: Callable[[], object] | None = None


class TroubledClient(stripe.HTTPClient):
    """The SDK's own client, on a bad day."""

    name = "troubled"

    def __init__(self, plan: Sequence[Trouble], client: stripe.HTTPClient) -> None:
        super().__init__()
        self._plan = plan
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
        """Pass a request on, or let the trouble that is planned for it happen."""
        path = urlsplit(url).path
        trouble = next(
            (
                each
                for each in self._plan
                if each.times and each.method == method and path.startswith(each.path)
            ),
            None,
        )
        if trouble is not None and trouble.passes:
            trouble.passes -= 1
            trouble = None
        if trouble is None:
            return self._client.request(method, url, headers, post_data)
        trouble.times -= 1
        answer = None
        if trouble.lands:
            answer = self._client.request(method, url, headers, post_data)
        if trouble.meanwhile:
            trouble.meanwhile()
        if trouble.does == "wait":
            return answer or self._client.request(method, url, headers, post_data)
        if trouble.does == "answer":
            body = '{"error": {"type": "api_error", "message": "Something went wrong."}}'
            return body, trouble.status, {}
        if trouble.does == "kill":
            die()
        message = {"timeout": "Read timed out.", "reset": "Connection reset by peer."}
        raise stripe.APIConnectionError(message[trouble.does], should_retry=True)

    def close(self) -> None:
        """Close what the real client holds open."""
        self._client.close()


@contextmanager
def troubled(*plan: Trouble) -> Iterator[None]:
    """Within, the gateway's client suffers what is planned."""
    genuine = stripe.RequestsClient

    def make(*args: Any, **kwargs: Any) -> TroubledClient:
        return TroubledClient(plan, genuine(*args, **kwargs))

    with mock.patch.object(stripe, "RequestsClient", make):
        gateway.client.cache_clear()
        try:
            yield
        finally:
            gateway.client.cache_clear()
