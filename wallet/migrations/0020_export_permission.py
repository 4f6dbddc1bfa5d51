from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallet", "0019_approvals_are_kept")]

    operations = [
        migrations.AlterModelOptions(
            name="entry",
            options={
                "ordering": ["-sequence"],
                "permissions": [("export_entries", "Can export entries of the ledger")],
                "verbose_name_plural": "entries",
            },
        ),
    ]
