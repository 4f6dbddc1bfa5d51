"""Log lines of what happened to an account's money, and whose request it is."""

from typing import Any

import structlog
from django.db import transaction
from structlog.contextvars import bind_contextvars

#: Its lines can be left out by this name.
NAME = "billing_portal.events"
log = structlog.get_logger(NAME)


def happened(event: str, *, account: object, **facts: object) -> None:
    """Log that `event` happened to the account with this id, once the database has it.

    What is rolled back is not logged. `facts` are ids, states and amounts: no secret, no address.
    """
    context: dict[str, Any] = {name: str(value) for name, value in facts.items()}
    transaction.on_commit(lambda: log.info(event, account=str(account), **context), robust=True)


def speak_of(**who: object) -> None:
    """Have all later lines of this request say `account=…`, `user=…` or `api_key=…`."""
    bind_contextvars(**{name: str(value) for name, value in who.items()})
