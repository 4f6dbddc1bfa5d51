"""What the tests of this app share."""

from collections.abc import Iterable, Iterator

import pytest
from django.db.backends.postgresql.operations import DatabaseOperations


@pytest.fixture(scope="session", autouse=True)
def _append_only_tables_can_be_emptied() -> Iterator[None]:
    """Let a test that commits clean up after itself: triggers that refuse TRUNCATE sleep."""
    flush = DatabaseOperations.execute_sql_flush

    def flush_without_triggers(self: DatabaseOperations, statements: Iterable[str]) -> None:
        flush(self, ["SET LOCAL session_replication_role = 'replica'", *statements])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", flush_without_triggers)
        yield
