"""The supervisor as a person meets it: real processes, real signals, and nothing left running."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from billing_portal import demo_programs
from billing_portal.management.commands import demo
from billing_portal.supervisor import SupervisorError

ROOT = Path(__file__).resolve().parents[2]
#: A supervisor of one program, which starts a child of its own. Both write down their numbers.
SCRIPT = """
import os, sys
from pathlib import Path
from billing_portal.supervisor import Program, Supervisor, saying_what_is_wrong
folder = Path(sys.argv[1])
pids = folder / "pids"
code = sys.argv[2].replace("PIDS", repr(str(pids)))
say = lambda text: print(text, flush=True)
at_the_end = lambda: say("the end")
program = Program("program", [sys.executable, "-c", code], lambda: pids.exists())
with saying_what_is_wrong(say) as status:
    with Supervisor(folder, Path.cwd(), dict(os.environ), say, at_the_end) as supervisor:
        supervisor.start(program)
        supervisor.wait_until_ready("program")
        say("ready")
        supervisor.watch()
sys.exit(status[0])
"""
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(PIDS, "a") as file:
    print(os.getpid(), child.pid, file=file)
time.sleep(600)
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + FAMILY
HOPELESS = "print('no such luck'); raise SystemExit(3)"


class Run:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path, code: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", SCRIPT, str(folder), code],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )

    def until(self, text: str) -> str:
        """Read until a line has this text."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if text in line:
                return line
        raise AssertionError("".join(lines))

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit status and what else was said."""
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=30)
        return self.process.returncode, said

    def pids(self) -> list[int]:
        """Return the numbers of the program and its child, of each start."""
        return [int(pid) for pid in (self.folder / "pids").read_text().split()]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], Run]]:
    runs: list[Run] = []

    def start(code: str) -> Run:
        runs.append(Run(tmp_path, code))
        return runs[-1]

    yield start
    for each in runs:
        each.process.kill()
        each.process.communicate()
    if (tmp_path / "pids").exists():
        for pid in runs[0].pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_and_is_no_failure(
    run: Callable[[str], Run], number: signal.Signals
) -> None:
    supervisor = run(FAMILY)
    supervisor.until("ready")
    began = time.monotonic()

    status, said = supervisor.end(number)

    assert (status, said) == (0, "the end\n")
    assert time.monotonic() - began < 8
    assert not any(alive(pid) for pid in supervisor.pids())
    assert not (supervisor.folder / "supervisor.json").exists()


def test_a_program_that_will_not_stop_is_killed(run: Callable[[str], Run]) -> None:
    supervisor = run(STUBBORN)
    supervisor.until("ready")
    began = time.monotonic()

    status, _ = supervisor.end()

    assert status == 0
    assert time.monotonic() - began < 8
    assert not any(alive(pid) for pid in supervisor.pids())


def test_a_second_signal_does_not_leave_half_of_it_running(run: Callable[[str], Run]) -> None:
    supervisor = run(STUBBORN)
    supervisor.until("ready")

    supervisor.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    status, _ = supervisor.end(signal.SIGINT)

    assert status == 0
    assert not any(alive(pid) for pid in supervisor.pids())


def test_a_program_that_dies_is_started_again(run: Callable[[str], Run]) -> None:
    supervisor = run(FAMILY)
    supervisor.until("ready")
    first, child = supervisor.pids()

    os.kill(first, signal.SIGKILL)
    said = supervisor.until("started again")
    wait_for(lambda: len(supervisor.pids()) == 4)

    assert "program ended with -9" in said
    assert not alive(child)
    assert alive(supervisor.pids()[2])
    assert supervisor.end()[0] == 0


def test_a_program_that_keeps_dying_ends_it_all_with_the_end_of_its_log(
    run: Callable[[str], Run],
) -> None:
    supervisor = run(HOPELESS)

    said, _ = supervisor.process.communicate(timeout=60)

    assert supervisor.process.returncode == 1
    assert said.count("started again") == 4
    assert "program ended with 3. The end of" in said
    assert "  | no such luck" in said


def test_only_one_runs_in_a_folder(run: Callable[[str], Run]) -> None:
    first = run(FAMILY)
    first.until("ready")

    second = run(FAMILY)
    said, _ = second.process.communicate(timeout=30)

    assert second.process.returncode == 1
    assert f"already runs in {first.folder} (process {first.process.pid})" in said
    assert "the end" not in said, "it must not stop the database of the first"
    assert first.end()[0] == 0


def test_the_next_one_ends_what_a_killed_one_left(run: Callable[[str], Run]) -> None:
    killed = run(FAMILY)
    killed.until("ready")
    killed.end(signal.SIGKILL)
    left = killed.pids()
    assert all(alive(pid) for pid in left)
    (killed.folder / "pids").unlink()

    heir = run(FAMILY)
    heir.until("interrupted run left behind")
    heir.until("ready")

    wait_for(lambda: not any(alive(pid) for pid in left))
    assert heir.end()[0] == 0


def test_a_stranger_with_an_old_number_is_left_alone(
    run: Callable[[str], Run], tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    ) as stranger:
        (tmp_path / "supervisor.json").write_text(
            json.dumps({"pid": 1, "children": {"web": [stranger.pid, 12345.0]}})
        )
        supervisor = run(FAMILY)
        supervisor.until("ready")
        supervisor.end()

        assert stranger.poll() is None
        stranger.kill()


def test_a_record_that_was_cut_short_is_no_obstacle(
    run: Callable[[str], Run], tmp_path: Path
) -> None:
    (tmp_path / "supervisor.json").write_text('{"pid": 1, "chil')

    supervisor = run(FAMILY)
    supervisor.until("ready")

    assert supervisor.end()[0] == 0


# The demo's choices ---------------------------------------------------------------------------
@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_that_was_asked_for_and_is_in_use_is_an_error(
    monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    monkeypatch.setenv("PORT", str(taken))

    with pytest.raises(SupervisorError, match=f"Port {taken} is in use"):
        demo_programs.choose_port(print)


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "\uff18\uff10"])
def test_a_port_must_be_a_number(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)

    with pytest.raises(SupervisorError, match="PORT is"):
        demo_programs.choose_port(print)


def test_without_a_wish_the_next_free_port_is_taken_and_told(
    monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.setattr(demo_programs, "FIRST_PORT", taken)
    said: list[str] = []

    port = demo_programs.choose_port(said.append)

    assert port > taken
    assert said == [f"port {taken} is in use, so it is port {port} (PORT=... chooses another)"]


def test_the_state_is_kept_for_its_owner_only(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    state = demo.DemoState(api_key="k", filled=True)
    state.save()

    assert demo.DemoState.load() == state
    assert demo.DemoState.file().stat().st_mode & 0o077 == 0


def test_a_state_that_cannot_be_read_is_a_new_one(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    demo.DemoState.file().write_text('{"half')

    assert demo.DemoState.load().filled is False


def test_the_box_says_where_and_who() -> None:
    text = demo.box(
        url="http://127.0.0.1:8000", sandbox_url="", state=demo.DemoState(api_key="the-key")
    )

    assert "http://127.0.0.1:8000/admin/" in text
    assert "the-key" in text
    assert all(email in text for email in demo.LOGINS)
    assert len({len(line) for line in text.splitlines()}) == 1
