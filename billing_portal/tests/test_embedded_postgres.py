"""The embedded server starts, is shared, outlives accidents and stops, as real processes see it."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from pytest_django import Settings

from billing_portal import embedded_postgres
from billing_portal.management.commands.demo import Command

ROOT = Path(__file__).resolve().parents[2]
USE = """
import os, signal, subprocess, sys, time
from pathlib import Path
from billing_portal import embedded_postgres
data_dir = Path(sys.argv[1])
url = embedded_postgres.start(data_dir)
print(url, flush=True)
"""
UNTIL_TOLD = USE + "sys.stdin.readline()"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not pytest's own: each session that starts closes pytest's folder to other users again,
    and as root PostgreSQL runs as one."""
    with tempfile.TemporaryDirectory(prefix="billing-portal-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@pytest.fixture(scope="module")
def set_up_once() -> Iterator[Path]:
    """The files of a server that was set up and has ended."""
    with tempfile.TemporaryDirectory(prefix="billing-portal-", ignore_cleanup_errors=True) as path:
        run(USE, Path(path))
        yield Path(path)


@pytest.fixture
def empty_dir(tmp_path: Path) -> Iterator[Path]:
    """Where a server is yet to be set up."""
    folder = tmp_path / "data"
    yield folder
    embedded_postgres.stop(folder)


@pytest.fixture
def data_dir(empty_dir: Path, set_up_once: Path) -> Path:
    """As a first run left it: setting up takes a second or more, copying it no time."""
    subprocess.run(["cp", "-a", set_up_once, empty_dir], check=True)
    return empty_dir


def environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return {**inherited, "PYTHONPATH": str(ROOT)}


def run(script: str, data_dir: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, str(data_dir)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class User:
    """A process that uses the server until it is told to end."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", UNTIL_TOLD, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.communicate("\n", timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def runs(data_dir: Path) -> bool:
    return (data_dir / "postgres" / "postmaster.pid").exists()


def test_the_last_process_to_leave_stops_the_server(data_dir: Path) -> None:
    first = User(data_dir)
    second = User(data_dir)
    assert first.url == second.url

    first.end()
    assert runs(data_dir)
    with psycopg.connect(second.url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)

    second.end()
    assert not runs(data_dir)


def test_what_was_written_is_there_after_a_restart(data_dir: Path) -> None:
    user = User(data_dir)
    with psycopg.connect(user.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    user.end()

    user = User(data_dir)
    with psycopg.connect(user.url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
    user.end()


def test_a_server_left_by_a_killed_process_is_joined_and_then_stopped(data_dir: Path) -> None:
    user = User(data_dir)
    user.kill()
    assert runs(data_dir)
    left_over = server_pid(data_dir)

    heir = User(data_dir)
    assert server_pid(data_dir) == left_over
    heir.end()
    assert not runs(data_dir)


def test_a_killed_server_is_started_again(data_dir: Path) -> None:
    user = User(data_dir)
    killed = server_pid(data_dir)
    os.kill(killed, signal.SIGKILL)
    user.end()

    assert run(USE, data_dir) == user.url
    assert not runs(data_dir)


def test_the_demo_starts_its_server_again(
    data_dir: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else would: the programs that it watches only wait for their database."""
    monkeypatch.setenv("DATABASE_URL", os.environ["DATABASE_URL"])
    settings.DATA_DIR = data_dir
    said = StringIO()
    demo = Command(stdout=said)
    embedded_postgres.start(data_dir)
    demo._keep_the_database()
    assert said.getvalue() == ""
    killed = psutil.Process(server_pid(data_dir))
    killed.kill()
    psutil.wait_procs([killed])

    demo._keep_the_database()

    assert "PostgreSQL has ended; it is started again" in said.getvalue()
    assert embedded_postgres.runs(data_dir)


def test_a_start_waits_for_the_children_that_a_killed_server_left(data_dir: Path) -> None:
    """They end by themselves, on a busy machine not at once; until then they hold its memory."""
    user = User(data_dir)
    killed = psutil.Process(server_pid(data_dir))
    child = killed.children()[0]
    child.suspend()
    killed.kill()
    user.end()
    waker = threading.Timer(2, child.resume)
    waker.start()

    assert run(USE, data_dir) == user.url
    waker.join()


def test_a_stale_file_that_names_a_living_stranger_is_ignored(data_dir: Path) -> None:
    stranger = os.getpid()
    (data_dir / "postgres" / "postmaster.pid").write_text(
        f"{stranger}\n{data_dir}/postgres\n1700000000\n5432\n{data_dir}/postgres\n\n0 0\nready\n"
    )

    assert run(USE, data_dir).startswith("postgresql://")


def test_a_forked_child_leaves_the_server_of_its_parent_alone(data_dir: Path) -> None:
    script = (
        USE
        + """
child = os.fork()
if not child:
    sys.exit()
os.waitpid(child, 0)
import psycopg
psycopg.connect(url).close()
"""
    )

    run(script, data_dir)
    assert not runs(data_dir)


def test_a_child_process_uses_the_url_in_the_environment(data_dir: Path) -> None:
    script = (
        USE
        + """
child = "import os, psycopg; psycopg.connect(os.environ['DATABASE_URL']).close()"
subprocess.run([sys.executable, "-c", child], check=True)
"""
    )

    run(script, data_dir)


def test_stop_stops_it_whoever_uses_it(data_dir: Path) -> None:
    user = User(data_dir)

    embedded_postgres.stop(data_dir)

    assert not runs(data_dir)
    user.end()


def test_stop_without_a_server_does_nothing(tmp_path: Path) -> None:
    embedded_postgres.stop(tmp_path / "never")

    assert not (tmp_path / "never").exists()


def test_two_processes_that_start_at_once_share_one_server(empty_dir: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UNTIL_TOLD, str(empty_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for _ in range(3)
    ]
    urls = {process.stdout.readline() for process in processes if process.stdout is not None}
    assert len(urls) == 1

    for process in processes:
        process.communicate("\n", timeout=30)
    assert not runs(empty_dir)


def test_a_path_with_spaces_that_is_too_long_for_a_socket(tmp_path: Path) -> None:
    data_dir = tmp_path / "it's a folder" / ("long" * 20)

    url = run(USE, data_dir)

    assert "it" not in url.partition("?")[2]
    assert not runs(data_dir)


def test_an_interrupted_setup_is_done_again(empty_dir: Path) -> None:
    (empty_dir / "postgres" / "base").mkdir(parents=True)
    (empty_dir / "postgres" / "postgresql.conf").write_text("half written")

    run(USE, empty_dir)


def test_data_of_another_version_is_refused_in_words(data_dir: Path) -> None:
    version = data_dir / "postgres" / "PG_VERSION"
    version.write_text("9\n")

    with pytest.raises(embedded_postgres.EmbeddedPostgresError, match="made by PostgreSQL 9"):
        embedded_postgres.start(data_dir)


def test_a_data_folder_that_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(embedded_postgres.EmbeddedPostgresError, match="Set DATA_DIR"):
        embedded_postgres.start(tmp_path / "file" / "data")


def test_a_server_that_cannot_start_shows_its_own_words(data_dir: Path) -> None:
    with (data_dir / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = 1\n")

    with pytest.raises(embedded_postgres.EmbeddedPostgresError, match="no_such_setting"):
        embedded_postgres.start(data_dir)
