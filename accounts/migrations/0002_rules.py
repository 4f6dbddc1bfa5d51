"""What must always hold about people and records, beyond what the models say.

The functions are in accounts/sql, as they are in force. `refuse_change` is used by every app for its
append-only tables (invariant I2).
"""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent.parent / "sql"
FUNCTIONS = (_SQL / "integrity.sql").read_text(encoding="utf-8")

ACCOUNTS = """
-- In SQL, for django-countries looks regular expressions up among the countries' names.
ALTER TABLE accounts_account
    ADD CONSTRAINT a_country_is_an_iso_code CHECK (country ~ '^([A-Z]{2})?$'),
    ADD CONSTRAINT pause_reasons_are_distinct CHECK (pause_reasons_are_distinct(pause_reasons));
"""

PEOPLE = """
CREATE TRIGGER the_last_owner_stays
    AFTER UPDATE OF role, account_id ON accounts_membership
    FOR EACH ROW WHEN (
        OLD.role = 'owner' AND (NEW.role <> 'owner' OR NEW.account_id <> OLD.account_id)
    )
    EXECUTE FUNCTION the_last_owner_stays();
CREATE TRIGGER the_last_owner_is_not_removed
    AFTER DELETE ON accounts_membership
    FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION the_last_owner_stays();

CREATE TRIGGER a_key_keeps_its_account
    BEFORE UPDATE OF account_id ON accounts_apikey
    FOR EACH ROW WHEN (OLD.account_id IS DISTINCT FROM NEW.account_id)
    EXECUTE FUNCTION a_key_keeps_its_account();
"""

RECORDS = """
CREATE TRIGGER audit_events_are_append_only BEFORE UPDATE OR DELETE ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_events_are_never_truncated BEFORE TRUNCATE ON accounts_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The delivery log: each attempt as it was, until it is old.
CREATE TRIGGER attempts_are_never_changed BEFORE UPDATE ON accounts_deliveryattempt
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

# When the next charge may be sent to Stripe (see accounts/gateway/pace.py). No record of anything:
# unlogged, so that a moment costs no write to disk. What a crash of the server empties is made anew
# by whoever charges next. The free space keeps its one row in its page.
GATEWAY_PACE = """
CREATE UNLOGGED TABLE accounts_gatewaypace (
    name text PRIMARY KEY,
    next_at timestamptz NOT NULL
) WITH (fillfactor = 10);
"""


class Migration(migrations.Migration):
    replaces = [
        ("accounts", name)
        for name in (
            "0002_integrity",
            "0007_gateway_pace",
        )
    ]
    dependencies = [("accounts", "0001_models")]
    operations = [migrations.RunSQL([FUNCTIONS, ACCOUNTS, PEOPLE, RECORDS, GATEWAY_PACE])]
