"""Permissions of their own for letting colleagues in, and for second factors that are lost."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_search")]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("manage_staff", "Can let colleagues in and give them their role"),
                    (
                        "remove_second_factor",
                        "Can take away a second factor that somebody has lost",
                    ),
                ]
            },
        )
    ]
