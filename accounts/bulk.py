"""Many rows at once, at the speed PostgreSQL stores them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import connection, models
from django.db.models.expressions import RawSQL


def copy_rows(
    model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert the rows with COPY. Triggers and constraints hold as with any other insert.

    An array parameter would take several times as long: psycopg writes arrays in Python, the rows
    of a COPY in C.
    """
    names = ", ".join(connection.ops.quote_name(column) for column in columns)
    table = connection.ops.quote_name(model._meta.db_table)
    statement = f"COPY {table} ({names}) FROM STDIN"
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(statement) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def as_array(values: Iterable[Any]) -> str:
    """Write UUIDs or numbers as a PostgreSQL array, for a parameter with a cast to its type."""
    return f"{{{','.join(map(str, values))}}}"


_UNNEST_UUIDS: Final = "SELECT unnest(%s::uuid[])"


def any_uuid(values: Iterable[Any]) -> RawSQL:
    """Return what `field__in=` takes: one parameter, however many values."""
    return RawSQL(_UNNEST_UUIDS, (as_array(values),))  # noqa: S611  (a constant)
