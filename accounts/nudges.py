"""Nudges: once a change is committed, the worker is told to look at it at once.

A nudge may be lost, and whatever it was for is found by a sweep within a minute. So whatever is
wrong with the broker (away, silent, full, read-only) is no trouble of whoever made the change.
"""

import structlog
from celery import current_app
from django.db import transaction

log = structlog.get_logger(__name__)


def after_commit(task: str, *arguments: object) -> None:
    """Once what is under way is committed, have a worker run the task of this name.

    It is named and not imported, for tasks import services and not the reverse.
    """
    transaction.on_commit(lambda: send(task, *arguments))


def send(task: str, *arguments: object) -> None:
    """Have a worker run the task of this name, unless the broker can't be told."""
    try:
        current_app.send_task(task, args=arguments)
    except Exception as error:  # noqa: BLE001
        # What a client of a broker raises is a list without an end.
        log.warning("nudge_lost", task=task, why=f"{type(error).__name__}: {error}")
