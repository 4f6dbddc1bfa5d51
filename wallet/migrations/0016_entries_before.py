"""Where a month's statement begins: the same place whenever it is asked for."""

from django.db import migrations

FORWARD = """
-- How many entries of an account come before the first one from a moment on. Two processes that write
-- have two clocks, so around the moment entries may be out of order for a minute: the first of the
-- later ones bounds, and whatever follows it in the ledger comes after it in the statements, too.
CREATE FUNCTION entries_before(of_account uuid, moment timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    from_sequence bigint := entries_until(of_account, moment - interval '1 minute');
    to_sequence bigint := entries_until(of_account, moment + interval '1 minute');
    first_later bigint;
BEGIN
    SELECT sequence INTO first_later FROM wallet_entry
    WHERE account_id = of_account AND sequence > from_sequence AND sequence <= to_sequence
      AND created_at >= moment
    ORDER BY sequence LIMIT 1;
    RETURN coalesce(first_later - 1, to_sequence);
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("wallet", "0015_spend_cap")]
    operations = [migrations.RunSQL(FORWARD, "DROP FUNCTION entries_before")]
