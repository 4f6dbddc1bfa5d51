"""Ranges of new entries go into the index by time as they fill up, not with the next vacuum.

A vacuum comes when a part of the table is new, and until then whoever asks for what is new reads
all of that part: ever more, the longer the ledger.
"""

import django.contrib.postgres.indexes
from django.db import migrations

NAME = "entries_by_time"


class Migration(migrations.Migration):
    dependencies = [("wallet", "0013_ledger_in_one_pass")]
    operations = [
        migrations.RunSQL(
            f"ALTER INDEX {NAME} SET (autosummarize = on)",
            f"ALTER INDEX {NAME} RESET (autosummarize)",
            state_operations=[
                migrations.RemoveIndex(model_name="entry", name=NAME),
                migrations.AddIndex(
                    model_name="entry",
                    index=django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True, fields=["created_at"], name=NAME
                    ),
                ),
            ],
        )
    ]
