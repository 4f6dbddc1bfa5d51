"""When the next charge may be sent to Stripe (see accounts/gateway/pace.py)."""

from django.db import migrations

# No record of anything: unlogged, so that a moment costs no write to disk. What a crash of the
# server empties is made anew by whoever charges next. The free space keeps its one row in its page.
CREATE = """
CREATE UNLOGGED TABLE accounts_gatewaypace (
    name text PRIMARY KEY,
    next_at timestamptz NOT NULL
) WITH (fillfactor = 10);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_delivery_log")]
    operations = [migrations.RunSQL(CREATE, "DROP TABLE accounts_gatewaypace")]
