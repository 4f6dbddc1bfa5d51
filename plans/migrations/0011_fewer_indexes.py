"""Drop the indexes that no query reads: each line of usage paid for every one of them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_delivery_log"),
        ("plans", "0010_periods_by_time"),
    ]

    operations = [
        migrations.AlterField(
            model_name="allowance",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="allowances",
                to="accounts.account",
            ),
        ),
        migrations.AlterField(
            model_name="allowance",
            name="feature",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="allowances",
                to="plans.feature",
            ),
        ),
        migrations.AlterField(
            model_name="usagerecord",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="usage_records",
                to="accounts.account",
            ),
        ),
        migrations.AlterField(
            model_name="usagerecord",
            name="feature",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="usage_records",
                to="plans.feature",
            ),
        ),
        migrations.AlterField(
            model_name="usagerecord",
            name="plan_version",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="usage_records",
                to="plans.planversion",
            ),
        ),
        migrations.AlterField(
            model_name="usagerecord",
            name="renewal",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="usage_records",
                to="plans.renewal",
            ),
        ),
    ]
