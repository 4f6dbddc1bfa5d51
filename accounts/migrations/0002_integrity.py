"""What must always hold about people and records, enforced by the database.

`refuse_change` is used by every app for its append-only tables (invariant I2).
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_events_are_append_only
    BEFORE UPDATE OR DELETE ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_events_are_never_truncated
    BEFORE TRUNCATE ON accounts_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Each reason at most once, so that lifting it removes it.
CREATE FUNCTION pause_reasons_are_distinct(reasons varchar[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS
    $$ SELECT count(*) = count(DISTINCT reason) FROM unnest(reasons) AS reason $$;
ALTER TABLE accounts_account ADD CONSTRAINT pause_reasons_are_distinct
    CHECK (pause_reasons_are_distinct(pause_reasons));
"""

REVERSE = """
ALTER TABLE accounts_account DROP CONSTRAINT pause_reasons_are_distinct;
DROP FUNCTION pause_reasons_are_distinct;
DROP TRIGGER audit_events_are_never_truncated ON accounts_auditevent;
DROP TRIGGER audit_events_are_append_only ON accounts_auditevent;
DROP FUNCTION refuse_change;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
