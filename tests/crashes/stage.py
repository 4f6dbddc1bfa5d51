"""A whole portal in a folder of its own, of which each part can be killed and started again.

Its programs are the demo's: gunicorn, a Celery worker, beat, the sandbox Stripe over HTTP, and a
PostgreSQL of its own. With `with_redis` broker and cache are a real Redis.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from django.db import connection

from billing_portal import demo_programs, embedded_postgres
from billing_portal.supervisor import Program
from conftest import Sandbox

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120


class MissingRedis(Exception):
    """There is no redis-server here."""

    def __init__(self) -> None:
        """Say how to have one."""
        super().__init__(
            "redis-server is not installed, and this scenario needs a real one. "
            "Debian, Ubuntu: apt install redis-server"
        )


def wait_until(what: str, condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something that happens in other processes."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:g} s still not: {what}")
        time.sleep(0.1)


class Stage:
    """The running portal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{os.environ['PORT']}"
        self.sandbox = Sandbox(os.environ["STRIPE_SANDBOX_URL"])
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        sandbox_port = int(self.sandbox.url.rpartition(":")[2])
        (folder / "logs").mkdir(exist_ok=True)
        self._programs = {
            program.name: program
            for program in (
                demo_programs.sandbox(sandbox_port),
                demo_programs.web(int(os.environ["PORT"])),
                demo_programs.worker(),
                demo_programs.beat(),
            )
        }

    # Programs ---------------------------------------------------------------------------------
    def start(self, *names: str) -> None:
        """Start these programs, and wait for none of them."""
        for name in names:
            self._spawn(self._programs[name])

    def wait_until_ready(self, *names: str) -> None:
        """Wait until each of them works."""
        for name in names:
            wait_until(f"{name} is ready", self._programs[name].ready)

    def run_redis(self, port: int) -> None:
        """Run a Redis, which keeps nothing on disk. Raises MissingRedis."""
        server = shutil.which("redis-server")
        if server is None:
            raise MissingRedis
        command = [
            *(server, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self.folder)),
            *("--save", "", "--appendonly", "no", "--set-proc-title", "no"),
        ]
        program = Program("redis", command, lambda: not demo_programs.is_free(port))
        self._programs["redis"] = program
        self.start("redis")
        self.wait_until_ready("redis")

    def kill(self, name: str) -> None:
        """Kill a program and whatever it started, as the kernel does when memory is short."""
        process = self._processes[name]
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=PATIENCE_SECONDS)

    def silence(self, name: str) -> None:
        """Have a program take connections and say nothing, as one that swaps does."""
        os.killpg(self._processes[name].pid, signal.SIGSTOP)

    def let_speak(self, name: str) -> None:
        """Let it go on."""
        os.killpg(self._processes[name].pid, signal.SIGCONT)

    def kill_a_child(self, name: str) -> None:
        """Kill one of the processes that a program started: gunicorn's workers are such."""
        children = psutil.Process(self._processes[name].pid).children()
        if children:
            with suppress(psutil.NoSuchProcess):
                children[time.monotonic_ns() % len(children)].kill()

    def start_what_died(self) -> list[str]:
        """Start again what has ended by itself; return its names."""
        died = [name for name, process in self._processes.items() if process.poll() is not None]
        self.start(*died)
        return died

    def stop_all(self) -> None:
        """Stop the programs; the database stays."""
        for name in self._processes:
            self.kill(name)

    def spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        """Run a command of the portal's beside it; its output goes to a log."""
        with (self.folder / "logs" / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self, name: str) -> str:
        """Return what a program has said."""
        return (self.folder / "logs" / f"{name}.log").read_text(errors="replace")

    def _spawn(self, program: Program) -> None:
        process = self._processes.get(program.name)
        if process is not None and process.poll() is None:
            return
        if process is not None:
            # What it had started may still hold its port.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self._processes[program.name] = self.spawn(program.name, list(program.command))

    # The database -----------------------------------------------------------------------------
    def stop_database_at_once(self) -> None:
        """What `pg_ctl stop -m immediate` does: no farewell, nothing written that was not."""
        pid_file = self.folder / "postgres" / "postmaster.pid"
        pid = int(pid_file.read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        wait_until("PostgreSQL has gone", lambda: not _lives(pid))

    def start_database(self) -> None:
        """Start it again, which recovers what was committed, and forget the old connections."""
        self.leave_database()
        embedded_postgres.start(self.folder)

    def leave_database(self) -> None:
        """Let go of this process's own connections."""
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]


def _lives(pid: int) -> bool:
    """Whether the process runs: one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
