"""Accounts are found by a part of a name or an address, and by a card, however many there are."""

import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.contrib.postgres.indexes import OpClass
from django.db import migrations, models

import accounts.partial_match

TRIGRAMS = """
CREATE FUNCTION trigrams_of(words text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ARRAY(
    SELECT substr(lower(words), place, 3) FROM generate_series(1, length(words) - 2) AS place);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0014_spend_cap")]

    operations = [
        migrations.AlterModelOptions(
            name="account",
            options={
                "ordering": ["name", "id"],
                "permissions": [
                    ("view_as_customer", "Can view the dashboard as a customer sees it")
                ],
            },
        ),
        migrations.RunSQL(TRIGRAMS, "DROP FUNCTION trigrams_of(text)"),
        migrations.AddIndex(
            model_name="account",
            index=django.contrib.postgres.indexes.GinIndex(
                accounts.partial_match.Trigrams("name"), name="accounts_by_part_of_name"
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=django.contrib.postgres.indexes.GinIndex(
                accounts.partial_match.Trigrams("owner_email"), name="accounts_by_part_of_email"
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                OpClass(django.db.models.functions.text.Upper("name"), name="text_pattern_ops"),
                name="accounts_by_start_of_name",
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=django.contrib.postgres.indexes.GinIndex(
                accounts.partial_match.Trigrams("email"), name="users_by_part_of_email"
            ),
        ),
        migrations.AddIndex(
            model_name="card",
            index=models.Index(fields=["last4"], name="cards_by_last_four"),
        ),
        migrations.AddIndex(
            model_name="card",
            index=models.Index(
                fields=["stripe_hold_id"],
                condition=~models.Q(stripe_hold_id=""),
                name="cards_by_hold",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["account", "channel", "-created_at", "-id"], name="messages_of_account"
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["event", "-id"], name="messages_by_event"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["action", "-id"], name="audit_events_by_action"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["created_at"], name="audit_events_by_time"
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(fields=["name", "id"], name="accounts_by_name"),
        ),
    ]
