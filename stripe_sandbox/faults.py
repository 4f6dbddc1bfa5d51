"""Trouble on demand: what `/_sandbox/next` asked the next matching requests to suffer."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .cards import require_known_decline
from .errors import Json, ParameterError

ACTIONS = ("capture", "decline", "delay", "delay_answer", "drop_connection", "status")
METHODS = ("GET", "POST", "DELETE")


@dataclass
class Fault:
    """One planned trouble and how many more requests it is for.

    `path` is how the address begins; a `*` in it stands for anything.
    """

    action: str
    count: int
    path: str
    method: str = "POST"
    amount: int = 0
    decline_code: str = "generic_decline"
    seconds: int | float = 0
    status: int = 500

    def as_json(self) -> Json:
        match = {"path": self.path, "method": self.method}
        shown: Json = {"action": self.action, "count": self.count, "match": match}
        if self.action == "capture":
            shown["amount"] = self.amount
        elif self.action == "decline":
            shown["decline_code"] = self.decline_code
        elif self.action in ("delay", "delay_answer"):
            shown["seconds"] = self.seconds
        elif self.action == "status":
            shown["status"] = self.status
        return shown

    def matches(self, path: str, method: str) -> bool:
        return method == self.method and fnmatchcase(path, self.path + "*")


def read(body: Json) -> Fault:
    """A plan out of the control call's JSON; a mistake in it is told at once."""
    known = {"action", "amount", "count", "match", "decline_code", "seconds", "status"}
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
    amount = body.get("amount", 0)
    if not isinstance(amount, int) or (action == "capture" and amount < 1):
        raise ParameterError("amount must be a positive integer", param="amount")
    match: Any = body.get("match") or {}
    if not isinstance(match, dict) or set(match) - {"path", "method"}:
        raise ParameterError("match must be an object with path and method", param="match")
    method = match.get("method", "POST")
    if method not in METHODS:
        raise ParameterError(f"method must be one of {', '.join(METHODS)}", param="match[method]")
    code = require_known_decline(body.get("decline_code")) or "generic_decline"
    path = str(match.get("path", ""))
    return Fault(action, count, path, method, amount, code, seconds, status)


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

    def take(self, action: str, path: str, method: str = "POST") -> Fault | None:
        """Use up one occurrence of the first plan for this action that matches the request.

        A `decline` or `capture` is taken only when a card is about to be charged or verified, so
        a request that creates a customer in between doesn't use it up.
        """
        with self._lock:
            for fault in self._planned:
                if fault.action == action and fault.matches(path, method):
                    fault.count -= 1
                    if fault.count == 0:
                        self._planned.remove(fault)
                    return fault
        return None


FAULTS = Faults()
