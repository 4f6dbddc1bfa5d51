"""How many requests a key may make: counted by the minute, told with every answer.

The headers are those of draft-ietf-httpapi-ratelimit-headers-11 (May 2026):

    RateLimit-Policy: "usage";q=12000;w=60
    RateLimit: "usage";r=11999;t=23
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.models import ApiKey

if TYPE_CHECKING:
    from rest_framework.views import APIView

log = structlog.get_logger(__name__)

_WINDOW_SECONDS: Final = 60
#: After a cache that gave no answer, none is asked for so long: each request would wait for it.
_PAUSE_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a key may ask for in this minute, and what is left of it."""

    policy: str
    limit: int
    remaining: int
    seconds_left: int

    def headers(self) -> dict[str, str]:
        """Return the headers that tell the client."""
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.limit};w={_WINDOW_SECONDS}',
            "RateLimit": f'"{self.policy}";r={self.remaining};t={self.seconds_left}',
        }


class KeyThrottle(BaseThrottle):
    """So many requests a minute for each key and kind of call (`throttle_scope` of the view)."""

    allowed: Allowed | None = None
    #: Of this process, on its monotonic clock.
    _pauses_until: float = 0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Count the request; refuse it when the minute's number is used up."""
        key = request.auth
        if not isinstance(key, ApiKey):
            return True  # a call that needs no key is not limited by one
        policy = getattr(view, "throttle_scope", "default")
        limits: Mapping[str, int] = settings.API_REQUESTS_PER_MINUTE
        limit = key.requests_per_minute or limits.get(policy, limits["default"])
        minute, elapsed = divmod(timezone.now().timestamp(), _WINDOW_SECONDS)
        if time.monotonic() < KeyThrottle._pauses_until:
            return True
        try:
            used = _count(f"api-requests:{key.pk}:{policy}:{int(minute)}")
        except Exception:
            # No call may fail because requests can't be counted: a lost cache is no lost money.
            log.exception("requests_not_counted", key=key.prefix, seconds=_PAUSE_SECONDS)
            KeyThrottle._pauses_until = time.monotonic() + _PAUSE_SECONDS
            return True
        self.allowed = Allowed(
            policy=policy,
            limit=limit,
            remaining=max(0, limit - used),
            seconds_left=max(1, int(_WINDOW_SECONDS - elapsed)),
        )
        return used <= limit

    def wait(self) -> float | None:
        """Return the seconds until the next minute begins."""
        return self.allowed.seconds_left if self.allowed else None


def _count(counter: str) -> int:
    """Count one more request; return how many there were in this minute."""
    try:
        return cache.incr(counter)
    except ValueError:  # the first of the minute, or it was evicted
        pass
    if cache.add(counter, 1, timeout=2 * _WINDOW_SECONDS):
        return 1
    try:
        return cache.incr(counter)
    except ValueError:  # evicted between the two
        return 1
