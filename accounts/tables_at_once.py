"""Migrations that make many tables at once.

After each operation Django puts all models anew together that are related to it. For the sixty
tables of dj-stripe it did so three thousand times, for all tables five thousand: most of what the
first `migrate` took. Here they are put together once for a migration.
"""

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddField, CreateModel, Migration
from django.db.migrations.state import ProjectState


class TablesAtOnce(Migration):
    """A migration of nothing but `CreateModel`, and `AddField` to what it makes itself.

    A table is made as its model is in the end: a field that is added has its column already.
    """

    def apply(
        self,
        project_state: ProjectState,
        schema_editor: BaseDatabaseSchemaEditor,
        collect_sql: bool = False,
    ) -> ProjectState:
        """Make the tables; `project_state` is what it is after all operations."""
        before = project_state.clone()
        vars(project_state).pop("apps", None)  # Or each model would be put together as it comes.
        for operation in self.operations:
            operation.state_forwards(self.app_label, project_state)
        made = {
            operation.name_lower
            for operation in self.operations
            if isinstance(operation, CreateModel)
        }
        for operation in self.operations:
            if not (isinstance(operation, AddField) and operation.model_name_lower in made):
                operation.database_forwards(self.app_label, schema_editor, before, project_state)
        return project_state
