"""The ledger by time, without an index that each entry would have to be put into."""

from django.db import migrations

FORWARD = """
-- How many entries of an account there were at a moment: they are numbered without gaps in the order
-- in which they came, so halving the numbers finds the place, in some twenty look-ups.
CREATE FUNCTION entries_until(of_account uuid, moment timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    low bigint := 0;
    high bigint;
    middle bigint;
    at timestamptz;
BEGIN
    SELECT last_sequence INTO high FROM wallet_wallet WHERE account_id = of_account;
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        SELECT created_at INTO at FROM wallet_entry
        WHERE account_id = of_account AND sequence = middle;
        IF at <= moment THEN low := middle; ELSE high := middle - 1; END IF;
    END LOOP;
    RETURN low;
END $$;
"""

REVERSE = "DROP FUNCTION entries_until"


class Migration(migrations.Migration):
    dependencies = [("wallet", "0009_who_approves_adjustments")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
