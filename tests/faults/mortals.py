"""The test's side of the processes that die: give orders, learn how each ended."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from tests.faults.network import Trouble

ROOT = Path(__file__).resolve().parents[2]


class Mortals:
    """Processes that do a deed of the portal (deeds.py) and may be killed on the way."""

    def __init__(self, *, database: str, stripe_url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.mortal", database, stripe_url],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(
        self,
        deed: str,
        *,
        network: Trouble | None = None,
        at: str = "",
        nth: int = 1,
        **arguments: str,
    ) -> int:
        """Have a process do a deed; return its exit status, -9 when it was killed on the way.

        It dies at the network trouble, or at `at`: `before plans.renewals._charge`, `after …`; the
        `nth` time that it gets there.
        """
        order = {
            "deed": deed,
            "network": asdict(network) if network else None,
            "at": at,
            "nth": nth,
            "arguments": arguments,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the parent; its children have ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()
