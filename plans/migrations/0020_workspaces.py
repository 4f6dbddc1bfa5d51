"""The names of workspaces, for staff to find an account by."""

import django.db.models.deletion
import django.db.models.functions.text
from django.contrib.postgres.indexes import OpClass
from django.db import migrations, models

KNOWN = """
INSERT INTO plans_workspace (account_id, name)
SELECT DISTINCT account_id, workspace FROM plans_dailyspend WHERE workspace <> ''
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_search"), ("plans", "0019_usage_by_month_of_deduction")]

    operations = [
        migrations.CreateModel(
            name="Workspace",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="workspaces",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "name"), name="one_workspace_of_a_name"
                    )
                ],
                "indexes": [
                    models.Index(
                        OpClass(
                            django.db.models.functions.text.Upper("name"), name="text_pattern_ops"
                        ),
                        name="workspaces_by_start_of_name",
                    )
                ],
            },
        ),
        migrations.RunSQL(KNOWN, migrations.RunSQL.noop),
    ]
