"""Cutting a connection without an answer: the caller never learns that the call was served."""

from __future__ import annotations

import contextlib
import socket
from typing import Any


def drop_connection(environ: dict[str, Any]) -> None:
    """Close the socket under the response, whichever server runs us."""
    found = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if isinstance(found, socket.socket):
        with contextlib.suppress(OSError):
            found.shutdown(socket.SHUT_RDWR)
