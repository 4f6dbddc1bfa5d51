"""The floor: a bare COPY of the very rows that rating wrote, and a bare commit of one row."""

from collections.abc import Sequence
from typing import Final

from django.db import connection, transaction

#: What a batch of usage writes to.
TABLES: Final = ("plans_usagerecord", "wallet_entry")
Rows = list[dict[str, bytes]]


def newest() -> dict[str, int]:
    """Return the highest id of each table."""
    found = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")
            found[table] = cursor.fetchone()[0]
    return found


def written_since(before: dict[str, int], batches: int) -> Rows:
    """Return what was written after `before` as COPY writes it, in so many parts."""
    parts: Rows = [{} for _ in range(batches)]
    for table in TABLES:
        query = f"COPY (SELECT * FROM {table} WHERE id > {before[table]} ORDER BY id) TO STDOUT"
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            lines = b"".join(copy).splitlines(keepends=True)
        for number, part in enumerate(parts):
            part[table] = b"".join(
                lines[len(lines) * number // batches : len(lines) * (number + 1) // batches]
            )
    return parts


def foreign_keys() -> list[tuple[str, str, str]]:
    """Return table, name and definition of the foreign keys that our tables carry."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = ANY(%s::text[]::regclass[]) AND contype = 'f'",
            [list(TABLES)],
        )
        return cursor.fetchall()


def make_tables(prefix: str, *, keys: list[tuple[str, str, str]]) -> None:
    """Make tables like ours, with these foreign keys: indexes and constraints, no triggers."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"CREATE TABLE {prefix}{table} (LIKE {table} INCLUDING ALL)")
        for table, name, definition in keys:
            cursor.execute(f'ALTER TABLE {prefix}{table} ADD CONSTRAINT "{name}" {definition}')


def fill(prefix: str, through: dict[str, int]) -> None:
    """Put into those tables what ours held at that moment: a larger table is dearer to add to."""
    with connection.cursor() as cursor:
        for table, newest_id in through.items():
            cursor.execute(
                f"INSERT INTO {prefix}{table} SELECT * FROM {table} WHERE id <= %s"
                f" AND id > (SELECT coalesce(max(id), 0) FROM {prefix}{table})",
                [newest_id],
            )


def copy(parts: Rows, prefix: str) -> None:
    """COPY the rows into those tables, a commit for each part."""
    for part in parts:
        with transaction.atomic(), connection.cursor() as cursor:
            for table, lines in part.items():
                if lines:
                    with cursor.copy(f"COPY {prefix}{table} FROM STDIN") as stream:
                        stream.write(lines)


def make_row_table() -> None:
    """Make the table of the bare commit: a key and a number."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_row (id bigserial PRIMARY KEY, value bigint NOT NULL)")


def commit_rows(values: Sequence[int]) -> None:
    """Insert one row and commit it, for each value."""
    for value in values:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO bench_row (value) VALUES (%s)", [value])
