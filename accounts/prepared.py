"""Statements that every call of the platform runs: PostgreSQL plans them once for a connection.

Django binds parameters on its own side, so that PostgreSQL sees a new statement each time and plans
it anew. For a question of a few rows over eight tables, planning took four fifths of the time.
"""

from typing import Any

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor


def fetch_one(statement: str, parameters: dict[str, Any]) -> tuple[Any, ...] | None:
    """Run the statement and return its first row, or None.

    It is prepared when it is first run on a connection, unless DATABASE_PREPARED_STATEMENTS is off.
    """
    connection.ensure_connection()
    own = ServerBindingCursor(connection.connection)  # type: ignore[call-arg]
    with connection._prepare_cursor(own) as cursor:  # type: ignore[attr-defined]
        cursor.execute(statement, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row
