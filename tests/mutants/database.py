"""Databases to break: clones of one that was freshly migrated."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper

#: What is cloned, beside the database of other tests.
TEMPLATE = "test_mutants"
CLONE = "test_mutant"


def prepare() -> None:
    """Make the template anew: all migrations run, so that it has the rules of this tree."""
    _disconnect()
    connection.settings_dict["TEST"]["NAME"] = TEMPLATE
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    _disconnect()


def is_prepared() -> bool:
    """Tell whether the template of an earlier run is there."""
    with _server() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [TEMPLATE])
        return bool(cursor.fetchall())


def connect_to(name: str) -> None:
    """Have this process use the database of this name from now on."""
    _disconnect()
    connection.settings_dict["NAME"] = name


@contextmanager
def clone(statement: str = "") -> Iterator[str]:
    """Within, there is a clone of the template, broken by `statement`; its name is returned."""
    with _server() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{CLONE}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{CLONE}" TEMPLATE "{TEMPLATE}"')
    if statement:
        connect_to(CLONE)
        with connection.cursor() as cursor:
            cursor.execute(statement)
    _disconnect()
    yield CLONE


@contextmanager
def _server() -> Iterator[CursorWrapper]:
    """A cursor beside all databases of tests."""
    _disconnect()
    with connection._nodb_cursor() as cursor:
        yield cursor


def _disconnect() -> None:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
