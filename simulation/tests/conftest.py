"""What the examples share: a database like the one that migrations leave."""

from collections.abc import Callable
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations import RunPython
from django.db.migrations.loader import MigrationLoader


@pytest.fixture
def afresh(transactional_db: None) -> Callable[[], None]:
    """Empty the database but for what migrations put there: beat's schedules among it."""

    def make() -> None:
        call_command("flush", interactive=False, verbosity=0)
        loader = MigrationLoader(None, ignore_no_migrations=True)
        names = sorted(name for app, name in loader.disk_migrations if app == "billing_portal")
        for name in names:
            module = import_module(f"billing_portal.migrations.{name}")
            for operation in module.Migration.operations:
                if isinstance(operation, RunPython):
                    with connection.schema_editor() as editor:
                        operation.code(apps, editor)  # type: ignore[arg-type]

    make()
    return make
