"""A record is found by its id alone, and the index grows at one end where ids do.

It began with the account before: to find a call of which one knows no more than its id, each
account's part of it had to be asked. Built beside the writing of usage: ten million take about half
a minute.
"""

from django.db import migrations, models

BUILD = """
    DROP INDEX CONCURRENTLY IF EXISTS records_by_their_id;
    CREATE UNIQUE INDEX CONCURRENTLY records_by_their_id
        ON plans_usagerecord ({columns});
"""
SWAP = """
    ALTER TABLE plans_usagerecord
        DROP CONSTRAINT a_record_is_charged_once,
        ADD CONSTRAINT a_record_is_charged_once UNIQUE USING INDEX records_by_their_id;
"""


def statements(columns):
    drop, create, _ = BUILD.format(columns=columns).split(";")
    return [drop, create, SWAP]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("plans", "0026_accounts_named_in_several_ways")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    statements("record_id, account_id"), statements("account_id, record_id")
                )
            ],
            state_operations=[
                migrations.RemoveConstraint("usagerecord", "a_record_is_charged_once"),
                migrations.AddConstraint(
                    "usagerecord",
                    models.UniqueConstraint(
                        fields=("record_id", "account"), name="a_record_is_charged_once"
                    ),
                ),
            ],
        )
    ]
