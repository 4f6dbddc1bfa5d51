"""The groups of staff, as the table of roles has them when this runs (accounts/staff_roles.py)."""

from typing import Any

from django.db import migrations

from accounts.staff_groups import make_groups


def make(apps: Any, schema_editor: Any) -> None:
    make_groups(apps=apps, using=schema_editor.connection.alias)


class Migration(migrations.Migration):
    dependencies = [
        ("billing_portal", "0014_subscriber_moves_schedule"),
        ("accounts", "0016_staff_permissions"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    # Back again, the groups stay: people are in them.
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
