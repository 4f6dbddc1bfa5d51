"""What a sweep that asks Stripe keeps to: it ends in time, and one that breaks holds back no other.

Beat starts each sweep every minute. While Stripe says nothing, every question takes a minute to
find that out: runs that went on to the end would have all workers, and no e-mail would be sent.
"""

import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import structlog

log = structlog.get_logger(__name__)

#: A run begins nothing more after this; the next one goes on.
RUN_SECONDS: Final = 50

T = TypeVar("T")


class Run:
    """One run of a sweep, however many kinds of things it looks after."""

    def __init__(self) -> None:
        """Begin: the time runs from now."""
        self._ends_at = time.monotonic() + RUN_SECONDS

    def each(self, found: Iterable[T], act: Callable[[T], int], *, broke: str) -> int:
        """Act on each until the time is over; return what the acts add up to.

        Whatever is wrong with one must not hold back the others: it is logged as `broke`.
        """
        total = 0
        for one in found:
            if time.monotonic() >= self._ends_at:
                log.warning("sweep_ended_early", next=str(one))
                break
            try:
                total += act(one)
            except Exception:
                log.exception(broke, at=str(one))
        return total
