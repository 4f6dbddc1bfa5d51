"""What it was measured on: machine and versions."""

import os
import platform
import subprocess
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]

ROOT: Final = Path(__file__).resolve().parent.parent
_PACKAGES: Final = ("Django", "psycopg", "gunicorn", "djangorestframework", "django-hordak")


def describe() -> dict[str, str]:
    """Return the machine as it is at this moment."""
    memory = psutil.virtual_memory().total / 1024**3
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GB",
        "disk": f"{_fsync():.2f} ms for an fsync of 8 kB (median of 50)",
        "load": f"{os.getloadavg()[0]:.1f} at the start (1-minute average)",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {_version(name)}" for name in _PACKAGES),
        "commit": _commit(),
    }


def database() -> str:
    """Describe the PostgreSQL that is connected to."""
    # Django has to be set up before.
    from django.db import connection

    names = ("fsync", "synchronous_commit", "shared_buffers")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        server = cursor.fetchone()[0].split()[0]
        cursor.execute("SELECT current_setting(unnest(%s::text[]))", [list(names)])
        values = [row[0] for row in cursor.fetchall()]
    told = ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
    return f"PostgreSQL {server} ({told})"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _fsync() -> float:
    """Return the milliseconds in which 8 kB are made durable where the databases are."""
    folder = ROOT / ".data"
    folder.mkdir(exist_ok=True)
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(50):
            started = time.perf_counter()
            file.write(b"x" * 8192)
            file.flush()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - started)
    return sorted(taken)[len(taken) // 2] * 1000


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _commit() -> str:
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty=, with changes", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.stdout.strip()
