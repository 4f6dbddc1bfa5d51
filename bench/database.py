"""A database for each scenario, cloned from one that is made once and kept."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from django.core.management import call_command
from django.db import connection
from django.db.utils import ProgrammingError

from bench import dataset
from bench.machine import ROOT

_TEMPLATE: Final = "bench_template"


@contextmanager
def empty_database(name: str) -> Iterator[None]:
    """Connect to a database of this scenario's own: catalogue and `dataset.ACCOUNTS` accounts.

    DATABASE_URL leads there as well, so child processes find it. It is dropped at the end.
    """
    home, url = connection.settings_dict["NAME"], os.environ["DATABASE_URL"]
    template = f"{_TEMPLATE}_{_key()}"
    if not _exists(template):
        _make_template(template, home)
    own = f"bench_{name}_{os.getpid()}"
    _run(f'CREATE DATABASE "{own}" TEMPLATE "{template}"')
    try:
        _connect(own)
        os.environ["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{own}").geturl()
        yield
    finally:
        os.environ["DATABASE_URL"] = url
        _connect(home)
        _run(f'DROP DATABASE "{own}" WITH (FORCE)')


def _key() -> str:
    """Name what the template was made by: migrations, the dataset's module, and the day.

    Of the day, for the accounts' periods began the day before and end in a month.
    """
    made_by = [*sorted(ROOT.glob("*/migrations/*.py")), Path(dataset.__file__)]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in made_by))
    return f"{datetime.now(UTC):%Y%m%d}_{digest.hexdigest()[:12]}"


def _make_template(template: str, home: str) -> None:
    for (old,) in _fetch(f"SELECT datname FROM pg_database WHERE datname LIKE '{_TEMPLATE}%%'"):
        with suppress(ProgrammingError):
            _run(f'DROP DATABASE "{old}" WITH (FORCE)')
    making = f"{template}_unfinished"
    _run(f'CREATE DATABASE "{making}"')
    try:
        _connect(making)
        call_command("migrate", verbosity=0, interactive=False)
        dataset.make(now=datetime.now(UTC))
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    finally:
        _connect(home)
    _run(f'ALTER DATABASE "{making}" RENAME TO "{template}"')


def _connect(name: str) -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    connection.settings_dict["NAME"] = name


def _exists(name: str) -> bool:
    return bool(_fetch(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"))


def _fetch(statement: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [])
        return cursor.fetchall()


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
