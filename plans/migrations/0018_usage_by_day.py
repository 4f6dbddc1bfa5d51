"""What was used by day has its workspace, quantity and number of calls, free records included.

The sums are made anew by their task, from the records: nothing else is in them.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("plans", "0017_spend_cap")]

    operations = [
        migrations.RunSQL(
            "DELETE FROM plans_dailyspend; DELETE FROM plans_spendprogress;",
            "DELETE FROM plans_dailyspend; DELETE FROM plans_spendprogress;",
        ),
        migrations.RemoveConstraint(model_name="dailyspend", name="one_sum_for_a_day"),
        migrations.RemoveConstraint(model_name="spendprogress", name="sums_go_forward"),
        migrations.RemoveField(model_name="spendprogress", name="after_sequence"),
        migrations.RemoveField(model_name="spendprogress", name="through_sequence"),
        migrations.AddField(
            model_name="spendprogress",
            name="through_id",
            field=models.BigIntegerField(default=0, help_text="The newest record that is in them."),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="dailyspend",
            name="workspace",
            field=models.CharField(blank=True, default="", max_length=200),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="dailyspend",
            name="quantity",
            field=models.DecimalField(decimal_places=6, default=0, max_digits=24),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="dailyspend",
            name="calls",
            field=models.BigIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="dailyspend",
            constraint=models.UniqueConstraint(
                fields=("account", "day", "feature", "workspace", "renewal"),
                name="one_sum_for_a_day",
            ),
        ),
        migrations.AddIndex(
            model_name="usagerecord",
            index=models.Index(fields=["account", "id"], name="usage_as_recorded"),
        ),
    ]
