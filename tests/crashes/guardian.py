"""Ends whatever works in a folder, and deletes it, once whoever began this has gone.

It waits for the end of its standard input, which comes however that process ends, SIGKILL included.
"""

import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.processes import running

_PATIENCE_SECONDS = 30
#: After this a PostgreSQL that was asked to stop at once is no longer asked.
_POLITE_SECONDS = 10


def clean(folder: Path) -> None:
    """End all that works in the folder, unmount what is mounted there, delete it."""
    began = time.monotonic()
    while found := running(folder):
        waited = time.monotonic() - began
        if waited > _PATIENCE_SECONDS:
            raise SystemExit(f"still running in {folder}: {found}")
        for process in found:
            with suppress(psutil.Error):
                is_database = "postgres" in process.name() and waited < _POLITE_SECONDS
                process.send_signal(signal.SIGQUIT if is_database else signal.SIGKILL)
        time.sleep(0.2)
    for line in Path("/proc/mounts").read_text().splitlines():
        place = line.split()[1]
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", place], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Wait, then clean up; only that end is waited for."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    clean(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
