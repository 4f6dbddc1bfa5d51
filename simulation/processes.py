"""Processes of the portal that may die between any two steps.

A step is a statement, a commit or a request to Stripe. At its last one a process is stopped by an
exception that no `except Exception` sees; whatever it asks for on the way out is refused, and its
connection is cut, so that PostgreSQL rolls back what was not committed. What had an effect before
had it, what would have come after never comes: as with SIGKILL.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


class Death(BaseException):
    """The process is gone."""


class Process:
    """One process: how many steps it took, and after which it dies."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.steps = 0
        self.dies_at = dies_at
        self.is_dead = False

    def step(self) -> None:
        """Take a step. Raises Death when it was the last, and forever after."""
        if self.is_dead:
            raise Death
        self.steps += 1
        if self.steps == self.dies_at:
            self.is_dead = True
            raise Death


class Processes:
    """The process that runs now; within one, another may run on a connection of its own."""

    def __init__(self) -> None:
        self._running: list[Process] = []
        self._spare: list[BaseDatabaseWrapper] = []
        self.died = 0

    def step(self) -> None:
        """Take a step of the process that runs; outside of one, nothing dies."""
        if self._running:
            self._running[-1].step()

    def run(self, work: Callable[[], Any], *, dies_at: int | None = None) -> tuple[bool, Any]:
        """Run a process to its end; return whether it lived to it, and what it returned."""
        process = Process(dies_at)
        with self._own_connection():
            self._running.append(process)
            try:
                return True, work()
            except Death:
                self.died += 1
                _cut(connections["default"])
                return False, None
            finally:
                self._running.pop()

    @contextmanager
    def _own_connection(self) -> Iterator[None]:
        """A process within another has a session of its own: other locks, another transaction."""
        if not self._running:
            with self._watched(connections["default"]):
                yield
            return
        outer = connections["default"]
        own = self._spare.pop() if self._spare else connections.create_connection("default")
        connections["default"] = own
        try:
            with self._watched(own):
                yield
        finally:
            connections["default"] = outer
            self._spare.append(own)

    @contextmanager
    def _watched(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        commit = connection.commit

        def execute(
            run: Callable[..., Any], sql: str, parameters: Any, many: bool, context: Any
        ) -> Any:
            self.step()
            result = run(sql, parameters, many, context)
            self.step()
            return result

        def commit_in_steps() -> None:
            try:
                self.step()
            except Death:
                connection.rollback()  # Django would go on as if it were committed
                raise
            commit()
            try:
                self.step()
            except Death:
                connection.run_on_commit = []
                raise

        with (
            connection.execute_wrapper(execute),
            mock.patch.object(connection, "commit", commit_in_steps),
        ):
            yield

    def close(self) -> None:
        """Close the connections of the processes within others."""
        for connection in self._spare:
            connection.close()


def _cut(connection: BaseDatabaseWrapper) -> None:
    """End a session as the death of its process does."""
    if connection.connection is not None:
        connection.connection.close()
    connection.close()
