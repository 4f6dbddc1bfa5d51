"""A gateway on bad days: no answer, an error, too many requests, or somebody else meanwhile."""

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum

import stripe

from simulation.chance import Chance
from simulation.processes import Processes

Answer = tuple[str, int, Mapping[str, str]]
_BODY = '{"error": {"type": "api_error", "message": "Something went wrong."}}'


class GatewayFault(StrEnum):
    """What may befall a request to Stripe."""

    LOST = "request lost"
    UNANSWERED = "timed out after acting"
    RESET = "connection reset after acting"
    ERROR = "answered 500 before acting"
    ERROR_AFTER = "answered 500 after acting"
    BUSY = "answered 429"


_ACTS_FIRST = {GatewayFault.UNANSWERED, GatewayFault.RESET, GatewayFault.ERROR_AFTER}


class GatewayFaults:
    """Which requests suffer. A fault lasts for some requests: the SDK asks again at once."""

    def __init__(self, chance: Chance, processes: Processes, *, rate: float) -> None:
        self.rate = rate
        #: Lets another process run while this one waits for Stripe.
        self.meanwhile: Callable[[], None] = lambda: None
        self.counts: Counter[GatewayFault] = Counter()
        self._chance = chance
        self._processes = processes
        self._fault = GatewayFault.LOST
        self._left = 0

    def stop(self) -> None:
        """End what has begun."""
        self._left = 0

    def suffer(self, method: str, path: str, send: Callable[[], Answer]) -> Answer:
        """Send a request and return its answer, or let happen what happens to it."""
        self._processes.step()
        self.meanwhile()
        fault = self._next()
        if fault is None or fault in _ACTS_FIRST:
            answer = send()
            self.meanwhile()
            self._processes.step()
        if fault is None:
            return answer
        if fault in (GatewayFault.ERROR, GatewayFault.ERROR_AFTER):
            return _BODY, 500, {}
        if fault == GatewayFault.BUSY:
            return _BODY.replace("api_error", "invalid_request_error"), 429, {}
        raise stripe.APIConnectionError(str(fault), should_retry=True)

    def _next(self) -> GatewayFault | None:
        if not self._left:
            if not self._chance.happens(self.rate):
                return None
            self._fault = self._chance.one_of(list(GatewayFault))
            # The SDK asks three times: a fault of more requests is one that the portal sees.
            self._left = self._chance.one_of((1, 2, 3, 3, 3, 4, 6, 9))
            self.counts[self._fault] += 1
        self._left -= 1
        return self._fault
