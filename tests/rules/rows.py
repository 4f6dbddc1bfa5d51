"""Rows that a table refuses, tried on a copy of it that has one of its checks, or its unique keys.

The copy asks for no column: a row says just what its rule reads.
"""

import re
from collections.abc import Mapping
from typing import Any

from django.db import connection

type_of_row = Mapping[str, Any]


NUMBERS = ("bigint", "integer", "smallint", "numeric")


def copy(table: str, *, check: str = "", all_checks: bool = False) -> None:
    """Make an empty copy of a table that keeps one check of it, or all: no other is in its way.

    It is there for the rest of the database transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS copy")
        cursor.execute(
            f'CREATE TEMPORARY TABLE copy (LIKE "{table}" INCLUDING CONSTRAINTS INCLUDING INDEXES)'
            " ON COMMIT DROP"
        )
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'copy'::regclass AND attnum > 0"
            " AND attnotnull AND NOT attisdropped AND attname <> 'id'"
        )
        for (column,) in cursor.fetchall():
            cursor.execute(f'ALTER TABLE copy ALTER "{column}" DROP NOT NULL')
        if all_checks:
            return
        cursor.execute(
            "SELECT conname FROM pg_constraint"
            " WHERE conrelid = 'copy'::regclass AND contype = 'c' AND conname <> %s",
            [check],
        )
        for (other,) in cursor.fetchall():
            cursor.execute(f'ALTER TABLE copy DROP CONSTRAINT "{other}"')


def copy_trigger(table: str, name: str) -> None:
    """Let the copy have a trigger of the table, too."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE tgrelid = %s::regclass AND tgname = %s",
            [table, name],
        )
        [definition] = cursor.fetchone()
        cursor.execute(re.sub(r" ON \S+ ", " ON copy ", definition, count=1))


def insert(row: type_of_row) -> None:
    """Insert a row of these columns. Raises IntegrityError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT atttypid::regtype::text FROM pg_attribute"
                       " WHERE attrelid = 'copy'::regclass AND attname = 'id'")  # fmt: skip
        if "id" not in row:
            is_uuid = cursor.fetchone() == ("uuid",)
            cursor.execute(
                "SELECT gen_random_uuid()::text" if is_uuid else "SELECT count(*) FROM copy"
            )
            row = {"id": cursor.fetchone()[0], **row}
        columns = ", ".join(f'"{column}"' for column in row)
        values = ", ".join(["%s"] * len(row))
        cursor.execute(f"INSERT INTO copy ({columns}) VALUES ({values})", list(row.values()))


def some_value(column: str, *, other: bool = False) -> Any:
    """Return a value of the column's type; two of them differ."""
    number = 2 if other else 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = 'copy'::regclass AND attname = %s",
            [column],
        )
        (type_name,) = cursor.fetchone()
    return {
        "uuid": f"00000000-0000-0000-0000-00000000000{number}",
        "date": f"2026-11-0{number}",
        "timestamp with time zone": f"2026-11-0{number} 09:30Z",
    }.get(type_name, number if type_name in NUMBERS else f"a{number}")
