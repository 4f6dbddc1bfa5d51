"""Which processes work for a data folder."""

import os
from pathlib import Path

import psutil  # type: ignore[import-untyped]


def running(data_dir: Path) -> list[psutil.Process]:
    """Return the processes that work for this data folder, by environment or command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            mine = str(data_dir) in " ".join(process.cmdline()) or (
                process.environ().get("DATA_DIR") == str(data_dir)
            )
        except psutil.Error:
            continue
        if mine:
            found.append(process)
    return found
