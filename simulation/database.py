"""Databases for runs: a migrated one is made once, and each run gets a copy of its own.

Never a customer's: on the embedded PostgreSQL they have names of their own beside the demo's. On
another server only when the database that DATABASE_URL names is itself called `simulation…`; that
one stays as it is, too.
"""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
_PREFIX = "simulation"
#: Whoever makes or drops databases does so alone.
_LOCK = 7_204_115


class NotOurs(Exception):
    """The database is somebody's: the simulation does not touch it."""


def check(url: str, *, is_embedded: bool) -> None:
    """Raise NotOurs unless the simulation may make databases beside this one."""
    name = urlsplit(url).path.removeprefix("/")
    if not is_embedded and not name.startswith(_PREFIX):
        raise NotOurs(
            f"The simulation does not touch {name or 'this database'}: it may be a customer's. "
            "Unset DATABASE_URL, or name an empty database there that is called simulation."
        )


@contextmanager
def of_a_run(url: str, *, seed: int) -> Iterator[str]:
    """Make a database for a run, and drop it afterwards; yields its URL. First, `prepare`."""
    template = _template_name()
    name = f"{_PREFIX}_run_{os.getpid()}_{seed}"
    with _alone(url) as server:
        _drop(server, name)
        _create(server, name, template)
    try:
        yield _named(url, name)
    finally:
        with _alone(url) as server:
            _drop(server, name)


def _template_name() -> str:
    return f"{_PREFIX}_template_{_fingerprint()}"


def prepare(url: str, say: Callable[[str], object]) -> None:
    """Make the migrated database that runs get copies of, unless it is there."""
    name = _template_name()
    with _alone(url) as server:
        found = server.execute("SELECT datname FROM pg_database").fetchall()
        names = {str(database) for (database,) in found}
        for other in sorted(names):
            if _is_left_over(other, template=name):
                _drop(server, other)
        if name in names:
            return
        say("Making the database that runs get copies of: once, half a minute.")
        making = f"{_PREFIX}_making"
        _drop(server, making)
        _create(server, making, "template0")
        _migrate(_named(url, making))
        _settle(_named(url, making))
        _rename(server, making, name)


def _is_left_over(name: str, *, template: str) -> bool:
    """Whether a database is of earlier migrations, or of a run that was killed."""
    if name.startswith(f"{_PREFIX}_template_"):
        return name != template
    found = re.fullmatch(f"{_PREFIX}_run_([0-9]+)_[0-9]+", name)
    return found is not None and not Path(f"/proc/{found[1]}").exists()


def _fingerprint() -> str:
    """What the migrations come to: with another one, another database is made."""
    digest = hashlib.sha256()
    files = [*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/djstripe_migrations/*.py")]
    for path in sorted([*files, *ROOT.glob("*/sql/*.sql"), ROOT / "requirements.txt"]):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _migrate(url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=environment(url),
        check=True,
    )


def environment(url: str) -> dict[str, str]:
    """What a process of the simulation is told: its database, and one order of sets for all."""
    return {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "simulation.settings",
        "PYTHONHASHSEED": "0",
    }


def _settle(url: str) -> None:
    """Leave nothing to a moment of PostgreSQL's own choice: rows stay where they were written."""
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in tables.fetchall():
            off = sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = false)")
            connection.execute(off.format(sql.Identifier(table)))


@contextmanager
def _alone(url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        yield server


def _create(server: "psycopg.Connection[tuple[object, ...]]", name: str, template: str) -> None:
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    server.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    # No commit waits for the disk: a crash of the machine is none of the faults here. And a process
    # that waits for a lock of the one it runs within would wait for ever.
    for setting in ("synchronous_commit = off", "lock_timeout = '20s'"):
        server.execute(
            sql.SQL("ALTER DATABASE {} SET {}").format(sql.Identifier(name), sql.SQL(setting))
        )


def _drop(server: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _rename(server: "psycopg.Connection[tuple[object, ...]]", name: str, new: str) -> None:
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    server.execute(rename.format(sql.Identifier(name), sql.Identifier(new)))


def _named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
