"""Several processes that rate at once, as several web processes do."""

import multiprocessing
import time
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from django.db import connection

from bench import set_up


class Writers:
    """Processes that wait for batches. They connect to the database that DATABASE_URL names."""

    def __init__(self, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=_write, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Self:
        for pipe in self._pipes:
            pipe.recv()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(timeout=10)

    def rate(self, bodies: list[bytes], *, writers: int) -> float:
        """Let so many of them share the batches; return the seconds until the last is done.

        Raises AssertionError with what went wrong in one of them: a deadlock, for example.
        """
        pipes = self._pipes[:writers]
        for number, pipe in enumerate(pipes):
            pipe.send(bodies[number::writers])
        for pipe in pipes:
            pipe.recv()
        started = time.perf_counter()
        for pipe in pipes:
            pipe.send("go")
        said = [pipe.recv() for pipe in pipes]
        taken = time.perf_counter() - started
        failures = [text for text in said if text]
        assert not failures, failures[0]
        return taken


def _write(pipe: Connection) -> None:
    """Rate what comes, until the pipe is closed."""
    set_up()
    # Only now: it needs Django.
    from bench import engine

    connection.ensure_connection()
    pipe.send("ready")
    while True:
        try:
            bodies = pipe.recv()
        except EOFError:
            return
        pipe.send("ready")
        pipe.recv()
        try:
            for body in bodies:
                engine.rate(body)
        except Exception as error:  # noqa: BLE001  (told to whoever waits)
            pipe.send(f"{type(error).__name__}: {error}")
        else:
            pipe.send("")
