"""What moved an account's balance beside usage, by time: for staff's timeline of the account."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("wallet", "0016_entries_before")]

    operations = [
        migrations.AddIndex(
            model_name="entry",
            index=models.Index(
                condition=models.Q(("kind", "usage"), _negated=True),
                fields=["account", "-created_at", "-id"],
                name="entries_but_usage_by_time",
            ),
        ),
    ]
