"""A stand-in for Stripe on a developer's machine: a separate process, never used in production."""

from __future__ import annotations

import os

REFUSAL = "DEBUG is off, so this looks like production. The sandbox Stripe never runs there."
_OFF = frozenset(("", "0", "false", "no", "off", "n", "f"))


def debug_is_off() -> bool:
    """The environment says that this is not a developer's machine."""
    debug = os.environ.get("DEBUG")
    return debug is not None and debug.strip().lower() in _OFF
