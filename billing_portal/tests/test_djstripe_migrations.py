"""Our flattened dj-stripe migrations make the schema that dj-stripe's models describe."""

from importlib import resources

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.questioner import NonInteractiveMigrationQuestioner
from django.db.migrations.state import ProjectState


def test_the_flattened_schema_is_that_of_the_models() -> None:
    loader = MigrationLoader(None)
    autodetector = MigrationAutodetector(
        loader.project_state(),
        ProjectState.from_apps(apps),
        NonInteractiveMigrationQuestioner(specified_apps={"djstripe"}),
    )

    changes = autodetector.changes(graph=loader.graph, trim_to_apps={"djstripe"})

    missing = [
        operation.describe()
        for migration in changes.get("djstripe", [])
        for operation in migration.operations
    ]
    assert missing == [], "run: manage.py makemigrations djstripe"


def test_every_migration_of_dj_stripe_has_a_namesake_here() -> None:
    upstream = {
        file.name.removesuffix(".py")
        for file in resources.files("djstripe.migrations").iterdir()
        if file.name[:4].isdigit() and file.name.endswith(".py")
    }
    loader = MigrationLoader(None)
    ours = {name for app, name in loader.disk_migrations if app == "djstripe"}

    assert upstream, "dj-stripe's migrations are not where they were"
    assert upstream <= ours


@pytest.mark.django_db
def test_the_database_has_a_table_for_every_model() -> None:
    tables = set(connection.introspection.table_names())

    wanted = {model._meta.db_table for model in apps.get_app_config("djstripe").get_models()}

    assert wanted <= tables
