"""Threads that share work which mostly waits, such as for Stripe.

Each has a database connection of its own, which is closed when the thread ends. Little is held: a
crew is given more only when it is hungry.
"""

import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, TypeVar

import structlog
from django.db import connections

log = structlog.get_logger(__name__)

Job = TypeVar("Job")


class Crew(Generic[Job]):
    """So many threads that `work` on the jobs they are given; without any, who gives works itself.

    Whatever is wrong with one job is logged and holds back no other. As a context manager it ends
    when all that was given is done.
    """

    def __init__(self, work: Callable[[Job], None], *, threads: int) -> None:
        self._work = work
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._given = self._begun = self._done = 0
        self._threads = [threading.Thread(target=self._share, daemon=True) for _ in range(threads)]

    def __enter__(self) -> "Crew[Job]":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def give(self, jobs: Iterable[Job]) -> None:
        """Have these done, by and by."""
        for job in jobs:
            if not self._threads:
                self._try(job)
                continue
            with self._changed:
                self._given += 1
            self._jobs.put(job)

    @property
    def is_hungry(self) -> bool:
        """Whether fewer jobs wait than there are threads to take them."""
        return self._given - self._begun < max(1, len(self._threads))

    @property
    def is_idle(self) -> bool:
        """Whether all that was given is done."""
        return self._done == self._given

    def wait(self, seconds: float) -> None:
        """Wait until a job is begun or done, or for so long."""
        with self._changed:
            self._changed.wait(seconds)

    def _share(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                with self._changed:
                    self._begun += 1
                    self._changed.notify_all()
                if not self._try(job):
                    # It may be the connection that is broken: the next job has a new one.
                    connections.close_all()
                with self._changed:
                    self._done += 1
                    self._changed.notify_all()
        finally:
            connections.close_all()

    def _try(self, job: Job) -> bool:
        try:
            self._work(job)
        except Exception:
            log.exception("job_broke", job=str(job))
            return False
        return True
