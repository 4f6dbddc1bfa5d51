"""`python -m stripe_sandbox`: start the sandbox. It refuses to run where DEBUG is off."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from . import REFUSAL, debug_is_off


class Server(BaseApplication):
    """Gunicorn with one process and threads: the state has one owner."""

    def __init__(self, options: dict[str, Any], data_dir: str, public_url: str) -> None:
        self._options = options
        self._data_dir = data_dir
        self._public_url = public_url
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from .app import create_app  # imported in the worker, where the threads live

        return create_app(self._data_dir, self._public_url)


def leave_soon(worker: Any) -> None:
    """On SIGTERM, give requests half a second and go: every answered one is committed."""

    def leave(number: int, frame: FrameType | None) -> None:
        threading.Timer(0.5, os._exit, (0,)).start()
        worker.handle_exit(number, frame)

    signal.signal(signal.SIGTERM, leave)


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stripe_sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=12111)
    parser.add_argument("--data-dir", default=".data/stripe_sandbox", help="where state is kept")
    parser.add_argument(
        "--public-url",
        default=os.environ.get("STRIPE_SANDBOX_PUBLIC_URL", ""),
        help="address under which a browser reaches it, if not that of the API calls",
    )
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--verbose", action="store_true", help="log each request")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    options = arguments(sys.argv[1:] if given is None else given)
    if debug_is_off():
        sys.stderr.write(f"stripe_sandbox: {REFUSAL}\n")
        return 2
    Server(
        {
            "bind": f"{options.host}:{options.port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": options.threads,
            "graceful_timeout": 1,
            "post_worker_init": leave_soon,
            "timeout": 0,
            "keepalive": 5,
            "control_socket_disable": True,
            "accesslog": "-" if options.verbose else None,
            "loglevel": "info" if options.verbose else "warning",
            "proc_name": "stripe_sandbox",
        },
        os.path.abspath(options.data_dir),
        options.public_url,
    ).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
