"""Processes that do a deed of the portal and are killed at a named point of it.

The program is a parent that has Django loaded and no connection open. It reads orders, one
JSON object a line, and forks a child for each, which connects to database and Stripe by itself and
dies (or not). The answer is the child's exit status: -9 when it was killed.
"""

import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from importlib import import_module
from typing import Any
from unittest import mock


def _dying(function: Callable[..., Any], *, when: str, nth: int) -> Callable[..., Any]:
    """Wrap a function so that its `nth` call is the process's last."""
    from tests.faults.network import die

    calls = 0

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        is_last = calls == nth
        if is_last and when == "before":
            die()
        result = function(*args, **kwargs)
        if is_last:
            die()
        return result

    return wrapper


def _do(order: dict[str, Any]) -> None:
    """Do what was ordered, in the child."""
    from tests.faults.deeds import DEEDS
    from tests.faults.network import Trouble, troubled

    with ExitStack() as stack:
        if order["network"]:
            stack.enter_context(troubled(Trouble(**order["network"])))
        if order["at"]:
            when, _, name = order["at"].partition(" ")
            module_name, _, function_name = name.rpartition(".")
            module = import_module(module_name)
            dying = _dying(getattr(module, function_name), when=when, nth=order["nth"])
            stack.enter_context(mock.patch.object(module, function_name, dying))
        DEEDS[order["deed"]](**order["arguments"])


def main() -> None:
    """Fork a child for each order until there are no more."""
    database, stripe_url = sys.argv[1:]
    import django
    from django.conf import settings

    django.setup()

    import stripe
    from django.db import connection

    connection.settings_dict["NAME"] = database
    settings.STRIPE_API_BASE = stripe.api_base = stripe_url
    mock.patch.object(stripe.HTTPClient, "INITIAL_DELAY", 0).start()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            # The deed's own failure is told by a traceback on stderr and another status.
            status = 1
            try:
                _do(json.loads(line))
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
