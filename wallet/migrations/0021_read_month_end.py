from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("wallet", "0020_export_permission")]

    operations = [
        migrations.AlterModelOptions(
            name="entry",
            options={
                "ordering": ["-sequence"],
                "permissions": [
                    ("export_entries", "Can export entries of the ledger"),
                    ("read_month_end", "Can read the month-end report"),
                ],
                "verbose_name_plural": "entries",
            },
        ),
    ]
