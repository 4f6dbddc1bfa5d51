"""Many processes that are let go at the same moment, each with connections of its own."""

import os
import pickle
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import connection

from accounts import gateway

Result = TypeVar("Result")


class ProcessFailed(Exception):
    """What was raised in one of the processes, as it was printed there."""


def at_once(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Fork a process for each call, let them go together, return what each returned.

    Raises ProcessFailed when one of them failed; all have ended then.
    """
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    gate, opener = os.pipe()
    children = [_fork(call, gate, opener) for call in calls]
    os.close(gate)
    os.close(opener)
    answers = [_answer(child, reading) for child, reading in children]
    failures = [text for succeeded, text in answers if not succeeded]
    if failures:
        raise ProcessFailed(f"{len(failures)} of {len(calls)} failed; one of them:\n{failures[0]}")
    return [result for _, result in answers]


def _fork(call: Callable[[], Result], gate: int, opener: int) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        # The parent's sockets are not to be shared.
        gateway.client.cache_clear()
        os.close(opener)
        os.read(gate, 1)
        answer: tuple[bool, Any]
        try:
            answer = (True, call())
        except Exception:  # noqa: BLE001 - the parent tells of it
            answer = (False, traceback.format_exc())
        with os.fdopen(writing, "wb") as file:
            pickle.dump(answer, file)
    finally:
        os._exit(0)


def _answer(child: int, reading: int) -> tuple[bool, Any]:
    with os.fdopen(reading, "rb") as file:
        content = file.read()
    os.waitpid(child, 0)
    if not content:
        return False, "it died"
    answer: tuple[bool, Any] = pickle.loads(content)
    return answer
