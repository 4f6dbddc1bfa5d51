"""Whatever ends the runner: what it started is ended as well, and its folder is gone."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.crashes.__main__ import ROOT, guarded_folder


def test_what_was_started_is_ended_when_the_runner_was_killed() -> None:
    program = (
        "import os, subprocess, sys, time\n"
        "from tests.crashes.__main__ import guarded_folder\n"
        "with guarded_folder() as folder:\n"
        "    child = subprocess.Popen(\n"
        "        ['sleep', '600'], env={'DATA_DIR': str(folder)}, start_new_session=True)\n"
        "    print(folder, child.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    runner = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert runner.stdout is not None
    folder, child = runner.stdout.readline().decode().split()
    assert Path(folder).exists()
    assert is_running(int(child))

    runner.kill()
    runner.wait()
    runner.stdout.close()

    deadline = time.monotonic() + 60
    while Path(folder).exists() or is_running(int(child)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_was_started_is_ended_at_the_end() -> None:
    with guarded_folder() as folder:
        child = subprocess.Popen(["sleep", "600"], env={"DATA_DIR": str(folder)})
    assert child.wait(timeout=60) == -9
    assert not folder.exists()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
