"""Keys of customers: bound to one account for good, and reading is all they may do."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

FORWARD = """
CREATE FUNCTION a_key_keeps_its_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'API key % keeps its account', OLD.id USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER a_key_keeps_its_account
    BEFORE UPDATE OF account_id ON accounts_apikey
    FOR EACH ROW WHEN (OLD.account_id IS DISTINCT FROM NEW.account_id)
    EXECUTE FUNCTION a_key_keeps_its_account();
"""

REVERSE = """
DROP TRIGGER a_key_keeps_its_account ON accounts_apikey;
DROP FUNCTION a_key_keeps_its_account;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_idempotent_requests")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="account",
            field=models.ForeignKey(
                blank=True,
                help_text="Of a customer: all it may do is read this account. None: the platform's.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="api_keys",
                to="accounts.account",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=Q(account__isnull=True) | Q(scopes=["accounts:read"]),
                name="a_customers_key_only_reads",
            ),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
