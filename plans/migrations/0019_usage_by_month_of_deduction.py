"""What was used by day says in which month it was deducted: month statements have it by feature.

The sums are made anew by their task, from the records: nothing else is in them.
"""

from django.db import migrations, models

FORGET = "DELETE FROM plans_dailyspend; DELETE FROM plans_spendprogress;"


class Migration(migrations.Migration):
    dependencies = [("plans", "0018_usage_by_day")]

    operations = [
        migrations.RunSQL(FORGET, FORGET),
        migrations.RemoveConstraint(model_name="dailyspend", name="one_sum_for_a_day"),
        migrations.AddField(
            model_name="dailyspend",
            name="month",
            field=models.DateField(
                default=None, help_text="The first day of the month in which it was deducted."
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="dailyspend",
            constraint=models.UniqueConstraint(
                fields=("account", "day", "feature", "workspace", "renewal", "month"),
                name="one_sum_for_a_day",
            ),
        ),
    ]
