"""A database for each scenario, cloned from one that is made once and kept."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.management import call_command
from django.db import connection
from django.db.utils import ProgrammingError

from bench import dataset
from bench.machine import ROOT

_TEMPLATE: Final = "bench_template"
_MIGRATED: Final = "bench_migrated"


@contextmanager
def empty_database(name: str) -> Iterator[None]:
    """Connect to a database of this scenario's own: catalogue and `dataset.ACCOUNTS` accounts.

    DATABASE_URL leads there as well, so child processes find it. It is dropped at the end.
    """
    home, url = connection.settings_dict["NAME"], os.environ["DATABASE_URL"]
    template = f"{_TEMPLATE}_{_key()}"
    if not exists(template):
        _make_template(template, home)
    own = f"bench_{name}_{os.getpid()}"
    execute(f'CREATE DATABASE "{own}" TEMPLATE "{template}"')
    try:
        connect(own)
        os.environ["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{own}").geturl()
        yield
    finally:
        os.environ["DATABASE_URL"] = url
        connect(home)
        execute(f'DROP DATABASE "{own}" WITH (FORCE)')


def _key() -> str:
    """Name what the template was made by: migrations, the dataset's module, and the day.

    Of the day, for the accounts' periods began the day before and end in a month.
    """
    made_by = [*migrations(), Path(dataset.__file__)]
    return f"{datetime.now(UTC):%Y%m%d}_{_digest(made_by)}"


def _digest(files: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _make_template(template: str, home: str) -> None:
    for (old,) in fetch(f"SELECT datname FROM pg_database WHERE datname LIKE '{_TEMPLATE}%'"):
        with suppress(ProgrammingError):
            execute(f'DROP DATABASE "{old}" WITH (FORCE)')
    making = f"{template}_unfinished"
    create(making, template=migrated())
    try:
        connect(making)
        dataset.make(now=datetime.now(UTC))
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    finally:
        connect(home)
    execute(f'ALTER DATABASE "{making}" RENAME TO "{template}"')


def migrations() -> list[Path]:
    """Return what a database with all tables is made by."""
    return sorted([*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/sql/*.sql")])


def migrated() -> str:
    """Return the name of a database with all tables and nothing in them: made once, for all."""
    name = f"{_MIGRATED}_{_digest(migrations())}"
    if not exists(name):
        drop_like(_MIGRATED)
        making = "unfinished_migrations"
        drop(making)
        create(making)
        connect(making)
        call_command("migrate", verbosity=0, interactive=False)
        rename(making, name)
    return name


# Any database -------------------------------------------------------------------------------
def connect(name: str) -> None:
    """Go on with the database called `name`."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    connection.settings_dict["NAME"] = name


def exists(name: str) -> bool:
    """Whether there is a database called `name`."""
    return bool(fetch("SELECT 1 FROM pg_database WHERE datname = %(name)s", name=name))


def create(name: str, *, template: str = "template1") -> None:
    """Create the database called `name`, as a copy of another."""
    connect("postgres")
    execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def drop(name: str) -> None:
    """Drop the database called `name`, if there is one."""
    connect("postgres")
    execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def drop_like(prefix: str) -> None:
    """Drop the databases whose names begin so."""
    connect("postgres")
    for (name,) in fetch(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %(prefix)s)", prefix=prefix
    ):
        drop(name)


def rename(name: str, to: str) -> None:
    """Give a database its name, once all is in it."""
    connect("postgres")
    execute(f'ALTER DATABASE "{name}" RENAME TO "{to}"')


def execute(statement: str, **parameters: Any) -> None:
    """Execute a statement on the connected database."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def fetch(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the connected database."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall()
