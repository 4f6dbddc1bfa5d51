"""Ranges of new records go into the indexes by time as they fill up, not with the next vacuum.

And what plan changes refer to is said once: two migrations each made the same key.
"""

import django.contrib.postgres.indexes
from django.db import migrations

FORWARD = """
ALTER INDEX usage_by_time_recorded SET (autosummarize = on);
ALTER INDEX usage_by_time_occurred SET (autosummarize = on);
"""
REVERSE = """
ALTER INDEX usage_by_time_occurred RESET (autosummarize);
ALTER INDEX usage_by_time_recorded RESET (autosummarize);
"""
ONE_KEY = """
ALTER TABLE plans_planchange DROP CONSTRAINT a_plan_change_is_of_its_account;
ALTER TABLE plans_subscription DROP CONSTRAINT subscriptions_of_an_account;
ALTER TABLE plans_subscription
    RENAME CONSTRAINT subscription_of_account TO subscriptions_of_an_account;
"""
TWO_KEYS = """
ALTER TABLE plans_subscription
    RENAME CONSTRAINT subscriptions_of_an_account TO subscription_of_account;
ALTER TABLE plans_subscription
    ADD CONSTRAINT subscriptions_of_an_account UNIQUE (id, account_id);
ALTER TABLE plans_planchange ADD CONSTRAINT a_plan_change_is_of_its_account
    FOREIGN KEY (subscription_id, account_id) REFERENCES plans_subscription (id, account_id)
    DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [("plans", "0013_record_one_usage")]
    operations = [
        migrations.RunSQL(
            FORWARD,
            REVERSE,
            state_operations=[
                migrations.RemoveIndex(model_name="usagerecord", name="usage_by_time_recorded"),
                migrations.RemoveIndex(model_name="usagerecord", name="usage_by_time_occurred"),
                migrations.AddIndex(
                    model_name="usagerecord",
                    index=django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True, fields=["recorded_at"], name="usage_by_time_recorded"
                    ),
                ),
                migrations.AddIndex(
                    model_name="usagerecord",
                    index=django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True,
                        fields=["occurred_at"],
                        name="usage_by_time_occurred",
                        opclasses=["timestamptz_minmax_multi_ops"],
                    ),
                ),
            ],
        ),
        migrations.RunSQL(ONE_KEY, TWO_KEYS),
    ]
