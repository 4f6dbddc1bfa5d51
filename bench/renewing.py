"""Processes that renew, as `manage.py renew` does, and may be killed.

The program has Django loaded and no connection open. For each line on stdin it forks a child that
renews, says its number, and then how it ended: so a run that is killed begins anew within a moment.
"""

import os
import subprocess
import sys
from types import TracebackType
from typing import IO, Final, Self

from bench.machine import ROOT

#: Two such processes are enough for 80 charges a second, if each takes 0.4 s, Stripe's 0.15 and the
#: wait for its moment included.
THREADS: Final = 16


class Renewing:
    """The bench's side: begin a run, learn how it ended."""

    def __init__(self, *, stripe_url: str, charges_per_second: int, log: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.renewing"],
            cwd=ROOT,
            env={
                **os.environ,
                "STRIPE_SANDBOX_URL": stripe_url,
                "STRIPE_CHARGES_PER_SECOND": str(charges_per_second),
                "RENEWAL_THREADS": str(THREADS),
                "DATABASE_POOL_SIZE": str(THREADS + 4),
                # Somebody listens: events are recorded, as in production.
                "PLATFORM_WEBHOOK_URL": "https://192.0.2.1/webhooks",
                "PLATFORM_WEBHOOK_SECRET": "whsec_" + "c2VjcmV0" * 4,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def __enter__(self) -> Self:
        self._hear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def begin(self) -> int:
        """Begin a run; return the number of its process."""
        assert self._process.stdin is not None
        self._process.stdin.write("renew\n")
        self._process.stdin.flush()
        return int(self._hear())

    def ended(self) -> int:
        """Wait for the end of the run; return its status, -9 when it was killed."""
        return int(self._hear())

    def _hear(self) -> str:
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said, "The processes that renew have ended: see renewals.log."
        return said


def _say(what: object) -> None:
    sys.__stdout__.write(f"{what}\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def main() -> None:
    """Fork a child for each line until there are no more."""
    from bench import set_up

    set_up()
    from django.core.management import call_command

    _say("ready")
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                call_command("renew", stdout=sys.stderr)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        _say(child)
        _, ended = os.waitpid(child, 0)
        _say(os.waitstatus_to_exitcode(ended))


if __name__ == "__main__":
    main()
