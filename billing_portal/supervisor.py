"""Runs a few programs as one: starts them, restarts what dies, stops them all (see `demo`).

Each program leads its own process group, so that Ctrl-C reaches only the supervisor, and stopping a
program stops whatever it started. What runs is written down; after a supervisor that was killed,
the next one ends what is left.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

#: A program that ran this long before it died is restarted as if for the first time.
STEADY_SECONDS = 60.0
#: The pause before each restart in a row. After the last one there is none.
RESTART_PAUSES = (0.5, 1.0, 2.0, 4.0)
STOP_SECONDS = 5.0
TAIL_LINES = 20


class SupervisorError(Exception):
    """The programs cannot run. The message is for the person at the terminal."""


class Stopped(BaseException):
    """A signal asked for the end. Like KeyboardInterrupt, it is no Exception."""


@dataclass(frozen=True)
class Program:
    """What to run, and how to know that it works."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]


@dataclass
class _Running:
    program: Program
    process: subprocess.Popen[bytes]
    log: Path
    since: float
    deaths: int = 0


@dataclass
class Supervisor:
    """Runs programs until it is told to stop. Use it as a context manager: leaving stops all."""

    folder: Path
    working_folder: Path
    environment: dict[str, str]
    say: Callable[[str], None]
    #: Called when everything has stopped, while no other supervisor can have begun.
    at_the_end: Callable[[], None] = lambda: None
    _running: dict[str, _Running] = field(default_factory=dict)
    _lock_file: int | None = None
    _told_to_stop: bool = False

    # Only one ---------------------------------------------------------------------------------
    def __enter__(self) -> "Supervisor":
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        self._lock_file = os.open(self.folder / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock_file)
            raise SupervisorError(
                f"The portal already runs in {self.folder} "
                f"(process {self._record().get('pid', '?')}). "
                "Stop it with Ctrl-C, or set DATA_DIR to another folder."
            ) from error
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, self._on_signal)
        self._end_leftovers()
        self._write_record()
        return self

    def __exit__(self, *exception: object) -> None:
        # From here on a second Ctrl-C must not leave half of them running.
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        self.stop()
        self.at_the_end()
        self._record_file.unlink(missing_ok=True)
        if self._lock_file is not None:
            os.close(self._lock_file)

    def _on_signal(self, number: int, frame: object) -> None:
        # Only noted: raised here, it could come between starting a program and writing it down.
        self._told_to_stop = True

    def pause(self, seconds: float) -> None:
        """Wait. Raises Stopped as soon as a signal has come."""
        deadline = time.monotonic() + seconds
        while True:
            if self._told_to_stop:
                raise Stopped
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.1))

    # Starting and watching --------------------------------------------------------------------
    def run(self, name: str, command: Sequence[str]) -> None:
        """Run a command to its end; it shares the terminal. Raises SupervisorError if it fails."""
        process = subprocess.Popen(
            command,
            env=self.environment,
            cwd=self.working_folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._running[name] = _Running(
            Program(name, command, lambda: True), process, Path(os.devnull), time.monotonic()
        )
        self._write_record()
        while (status := process.poll()) is None:
            self.pause(0.05)
        del self._running[name]
        self._write_record()
        if status != 0:
            raise SupervisorError(f"{name} failed: see above.")

    def start(self, program: Program) -> None:
        """Start a program. Its output goes to its log."""
        log = self.folder / "logs" / f"{program.name}.log"
        log.write_bytes(b"")
        self._running[program.name] = _Running(
            program, self._spawn(program, log), log, time.monotonic()
        )
        self._write_record()

    def wait_until_ready(self, *names: str, seconds: float = 90.0) -> None:
        """Wait until the named programs work. Raises SupervisorError if one never does."""
        deadline = time.monotonic() + seconds
        waiting = list(names)
        while waiting:
            self._restart_the_dead()
            waiting = [name for name in waiting if not self._running[name].program.ready()]
            if waiting and time.monotonic() > deadline:
                raise SupervisorError(self._obituary(waiting[0], "did not answer"))
            self.pause(0.1 if waiting else 0)

    def watch(self, see_to: Callable[[], None] = lambda: None) -> None:
        """Keep the programs running until a signal comes (raises Stopped).

        What else has to be kept running `see_to` looks after, each time round.
        """
        while True:
            see_to()
            self._restart_the_dead()
            self.pause(0.2)

    def _spawn(self, program: Program, log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                program.command,
                env=self.environment,
                cwd=self.working_folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _restart_the_dead(self) -> None:
        for running in list(self._running.values()):
            status = running.process.poll()
            if status is None:
                continue
            name = running.program.name
            steady = time.monotonic() - running.since >= STEADY_SECONDS
            running.deaths = 1 if steady else running.deaths + 1
            if running.deaths > len(RESTART_PAUSES):
                raise SupervisorError(self._obituary(name, f"ended with {status}"))
            # What it started may still hold its port.
            _kill_group(running.process.pid, signal.SIGKILL)
            seconds = RESTART_PAUSES[running.deaths - 1]
            self.say(f"{name} ended with {status}; it is started again in {seconds:g} s")
            self.pause(seconds)
            running.process = self._spawn(running.program, running.log)
            running.since = time.monotonic()
            self._write_record()

    def _obituary(self, name: str, what: str) -> str:
        log = self._running[name].log
        lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        tail = "\n".join(f"  | {line}" for line in lines) or "  | (nothing)"
        return f"{name} {what}. The end of {log}:\n{tail}"

    # Stopping ---------------------------------------------------------------------------------
    def stop(self) -> None:
        """Stop everything: ask, then insist."""
        groups = [running.process.pid for running in self._running.values()]
        for group in groups:
            _kill_group(group, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            for running in self._running.values():
                running.process.poll()
            if not any(_group_lives(group) for group in groups):
                break
            time.sleep(0.05)
        for group in groups:
            _kill_group(group, signal.SIGKILL)
        for running in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(STOP_SECONDS)
        self._running.clear()

    # Leftovers --------------------------------------------------------------------------------
    @property
    def _record_file(self) -> Path:
        return self.folder / "supervisor.json"

    def _record(self) -> dict[str, object]:
        try:
            record: dict[str, object] = json.loads(self._record_file.read_text())
        except (OSError, ValueError):
            return {}
        return record

    def _write_record(self) -> None:
        children = {
            name: [running.process.pid, _started(running.process.pid)]
            for name, running in self._running.items()
        }
        text = json.dumps({"pid": os.getpid(), "children": children})
        temporary = self._record_file.with_suffix(".tmp")
        temporary.write_text(text)
        temporary.replace(self._record_file)

    def _end_leftovers(self) -> None:
        children = self._record().get("children")
        if not isinstance(children, dict):
            return
        groups = []
        for pid, started in children.values():
            # A number may have been given to a stranger meanwhile: then its start differs. While
            # any process of the group lives, its number is given to nobody.
            if _started(pid) == started if _started(pid) else _group_lives(pid):
                groups.append(pid)
        if groups:
            self.say("ending what an interrupted run left behind")
        for group in groups:
            _kill_group(group, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and any(_group_lives(group) for group in groups):
            time.sleep(0.05)
        for group in groups:
            _kill_group(group, signal.SIGKILL)


@contextlib.contextmanager
def saying_what_is_wrong(say: Callable[[str], None]) -> Iterator[list[int]]:
    """Turn how the block ends into an exit status: 0 when it was stopped, 1 on an error."""
    status = [0]
    try:
        yield status
    except Stopped:
        pass
    except SupervisorError as error:
        say(str(error))
        status[0] = 1


def _started(pid: int) -> float | None:
    with contextlib.suppress(psutil.Error):
        started: float = psutil.Process(pid).create_time()
        return started
    return None


def _kill_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _group_lives(group: int) -> bool:
    """Tell whether any process of the group still runs; those only waiting to be reaped do not."""
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError, psutil.Error):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
