"""The programs of the demo, and the ports they listen on."""

import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

from django.conf import settings

from billing_portal.celery import app
from billing_portal.supervisor import Program, SupervisorError

FIRST_PORT = 8000
FIRST_SANDBOX_PORT = 12111
PORTS_TO_TRY = 100


def sandbox(port: int) -> Program:
    """The sandbox Stripe; it keeps its state in the data folder."""
    folder = str(settings.DATA_DIR / "stripe_sandbox")
    return Program(
        "sandbox",
        [
            *(sys.executable, "-m", "stripe_sandbox"),
            *("--port", str(port), "--data-dir", folder),
        ],
        lambda: answers(f"http://127.0.0.1:{port}/_sandbox/health"),
    )


def web(port: int) -> Program:
    """The web server."""
    return Program(
        "web",
        [
            *(sys.executable, "-m", "gunicorn", "billing_portal.wsgi"),
            *("--config", "python:billing_portal.web_server"),
            *("--bind", f"127.0.0.1:{port}", "--graceful-timeout", "2"),
        ],
        lambda: answers(f"http://127.0.0.1:{port}/readyz"),
    )


def worker() -> Program:
    """The Celery worker."""
    return Program(
        "worker",
        [
            *(sys.executable, "-m", "celery", "-A", "billing_portal", "worker"),
            *("--pool", "threads", "--concurrency", "4", "--loglevel", "INFO"),
            *("--without-gossip", "--without-mingle"),
        ],
        lambda: bool(app.control.ping(timeout=0.3, limit=1)),
    )


def beat() -> Program:
    """Celery beat. It answers nobody, but says when it has begun."""
    log = settings.DATA_DIR / "logs" / "beat.log"
    return Program(
        "beat",
        [
            *(sys.executable, "-m", "celery", "-A", "billing_portal", "beat"),
            *("--loglevel", "INFO", "--pidfile", ""),
        ],
        lambda: "beat: Starting" in log.read_text(errors="replace"),
    )


def answers(url: str) -> bool:
    """Tell whether there is a good answer at this address."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def choose_port(say: Callable[[str], None]) -> int:
    """Return PORT if it is free; without PORT, the first free one from 8000 on."""
    wanted = os.environ.get("PORT", "")
    if not wanted:
        port = free_port(FIRST_PORT)
        if port != FIRST_PORT:
            say(f"port {FIRST_PORT} is in use, so it is port {port} (PORT=... chooses another)")
        return port
    if not (wanted.isascii() and wanted.isdecimal() and 0 < int(wanted) < 65536):
        raise SupervisorError(f"PORT is {wanted!r}. Set it to a number from 1 to 65535.")
    if not is_free(int(wanted)):
        raise SupervisorError(f"Port {wanted} is in use. Set PORT to another, or leave it out.")
    return int(wanted)


def free_port(first: int) -> int:
    """Return the first free port from this one on."""
    for port in range(first, first + PORTS_TO_TRY):
        if is_free(port):
            return port
    raise SupervisorError(f"No port from {first} to {first + PORTS_TO_TRY - 1} is free.")


def is_free(port: int) -> bool:
    """Tell whether a server could listen here."""
    try:
        listen(port).close()
    except OSError:
        return False
    return True


def listen(port: int) -> socket.socket:
    """Listen as a server does. Raises OSError if another listens already."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
