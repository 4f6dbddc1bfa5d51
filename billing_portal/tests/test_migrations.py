"""The migrations: what an older database needs, and which functions are in force."""

import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from billing_portal import checks

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "invoices", "wallet", "plans", "billing_portal")

pytestmark = pytest.mark.django_db


def former() -> dict[tuple[str, str], tuple[str, str]]:
    """Return each migration that is gone, and which one took its place."""
    loader = MigrationLoader(None)
    return {
        gone: key
        for key, migration in loader.replacements.items()
        if key[0] in APPS
        for gone in migration.replaces
    }


def test_a_database_that_has_all_former_migrations_needs_nothing() -> None:
    recorder = MigrationRecorder(connection)
    for key in set(former().values()):
        recorder.record_unapplied(*key)
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
    assert checks.check_migrations(databases=["default"]) == []


def test_a_database_that_has_some_of_them_is_told_what_to_do() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("wallet", "0024_approvals_expire")
    recorder.record_unapplied("wallet", "0025_a_single_entry_at_once")
    with pytest.raises(CommandError, match=r"former migrations of wallet.\n.*cd1cc61"):
        call_command("migrate", verbosity=0, skip_checks=False)


@pytest.mark.parametrize("app", APPS)
def test_wherever_it_stopped_it_is_noticed(app: str) -> None:
    places = former()
    names = sorted(name for label, name in places if label == app)
    for applied in range(1, len(names)):
        begun = {places[app, name] for name in names[:applied]}
        ended = {places[app, name] for name in names[applied:]}
        assert begun & ended


def functions() -> dict[str, str]:
    """Return the functions of the database, as they are in force."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, pg_get_functiondef(oid) FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace"
        )
        return dict(cursor.fetchall())


def test_the_functions_in_force_are_those_of_the_files() -> None:
    migrated = functions()
    written = [path.read_text() for path in sorted(ROOT.glob("*/sql/*.sql"))]
    assert set(re.findall(r"^CREATE OR REPLACE FUNCTION (\w+)", "".join(written), re.M)) == set(
        migrated
    )
    with connection.cursor() as cursor:
        for statements in written:
            cursor.execute(statements)
    assert functions() == migrated
