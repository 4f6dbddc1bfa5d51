"""Ports for what a scenario runs."""

import socket
from collections.abc import Iterator

#: Where nothing of the demo's listens.
FIRST, LAST = 8120, 8139


def free_ports() -> Iterator[int]:
    """Yield ports that nobody listens on just now."""
    for port in range(FIRST, LAST + 1):
        with socket.socket() as listener:
            if listener.connect_ex(("127.0.0.1", port)) != 0:
                yield port
