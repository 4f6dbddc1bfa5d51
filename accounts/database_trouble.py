"""What is to be done when the database is away, full, or had to break a deadlock.

All of it passes, and none of it leaves work half done: whoever asked may ask again. The locks are
taken in one order everywhere (docs/architecture.md), so that deadlocks are not expected; but a hand
at the database keeps to no order, and what waits for money is done again by itself.
"""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection

log = structlog.get_logger(__name__)

#: No connection, a restart, no room, no memory, a lock that was waited for too long.
TROUBLE: Final = (OperationalError, InterfaceError)
#: A server that was killed has usually recovered by then.
RETRY_AFTER_SECONDS: Final = 5
#: How often a transaction is tried in all that PostgreSQL ends to break a deadlock.
ATTEMPTS: Final = 4
_LONGEST_PAUSE_SECONDS: Final = 0.05
_DEADLOCK_DETECTED: Final = "40P01"

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def again_after_deadlock(
    function: Callable[Parameters, Result],
) -> Callable[Parameters, Result]:
    """Have a function that is one database transaction done again when a deadlock ended it.

    It must do nothing that a rollback does not undo. Within a transaction of the caller's that one
    has ended, too, and the error is the caller's. After ATTEMPTS in all the error is raised.
    """

    @wraps(function)
    def persistent(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        attempt = 1
        while True:
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                is_last = attempt == ATTEMPTS or connection.in_atomic_block
                if is_last or not was_deadlock(error):
                    raise
            log.warning("deadlock_broken", function=function.__qualname__, attempt=attempt)
            # Not at the same moment as whoever else was in it.
            time.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))  # noqa: S311
            attempt += 1

    return persistent


def was_deadlock(error: OperationalError) -> bool:
    """Tell whether PostgreSQL ended the transaction to break a deadlock."""
    return getattr(error.__cause__, "sqlstate", None) == _DEADLOCK_DETECTED


def drop_dead_connections() -> None:
    """After a failure: let go of those waiting connections that a restart has cut off.

    Otherwise each of them would fail a request of its own before it is found out.
    """
    pool = connection.pool  # type: ignore[attr-defined]
    if pool is not None and not pool.closed:
        pool.check()
