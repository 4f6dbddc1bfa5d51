"""Trouble on demand: what `/_sandbox/next` asked the next matching POST requests to suffer."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from .cards import require_known_decline
from .errors import Json, ParameterError

ACTIONS = ("decline", "delay", "drop_connection", "status")


@dataclass
class Fault:
    """One planned trouble and how many more requests it is for."""

    action: str
    count: int
    path: str
    decline_code: str = "generic_decline"
    seconds: int | float = 0
    status: int = 500

    def as_json(self) -> Json:
        shown: Json = {"action": self.action, "count": self.count, "match": {"path": self.path}}
        if self.action == "decline":
            shown["decline_code"] = self.decline_code
        elif self.action == "delay":
            shown["seconds"] = self.seconds
        elif self.action == "status":
            shown["status"] = self.status
        return shown


def read(body: Json) -> Fault:
    """A plan out of the control call's JSON; a mistake in it is told at once."""
    known = {"action", "count", "match", "decline_code", "seconds", "status"}
    unknown = set(body) - known
    if unknown:
        raise ParameterError(f"Received unknown parameter: {sorted(unknown)[0]}")
    action = body.get("action")
    if action not in ACTIONS:
        raise ParameterError(f"action must be one of {', '.join(ACTIONS)}", param="action")
    count = body.get("count", 1)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ParameterError("count must be a positive integer", param="count")
    seconds = body.get("seconds", 0)
    if not isinstance(seconds, int | float) or not 0 <= seconds <= 120:
        raise ParameterError("seconds must be a number from 0 to 120", param="seconds")
    status = body.get("status", 500)
    if not isinstance(status, int) or not 400 <= status <= 599:
        raise ParameterError("status must be an HTTP error status", param="status")
    match: Any = body.get("match") or {}
    path = str(match.get("path", "")) if isinstance(match, dict) else ""
    code = require_known_decline(body.get("decline_code")) or "generic_decline"
    return Fault(action, count, path, code, seconds, status)


class Faults:
    """The plans, oldest first. Kept in memory: a restart brings peace."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._planned.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()

    def planned(self) -> list[Json]:
        with self._lock:
            return [fault.as_json() for fault in self._planned]

    def take(self, action: str, path: str) -> Fault | None:
        """Use up one occurrence of the first plan for this action that matches the path.

        A `decline` is taken only when a card is about to be charged or verified, so a request
        that creates a customer in between doesn't use it up.
        """
        with self._lock:
            for fault in self._planned:
                if fault.action == action and path.startswith(fault.path):
                    fault.count -= 1
                    if fault.count == 0:
                        self._planned.remove(fault)
                    return fault
        return None


FAULTS = Faults()
