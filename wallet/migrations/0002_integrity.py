"""The ledger's own truth (invariants I1 and I2).

Entries are inserted; the balance follows. One trigger for each inserted batch checks that the new
entries continue the wallet's sequence and chain its balance, then moves the wallet: nothing else
can. It runs once for a statement, not for a row, so that a batch of usage stays quick.
"""

from django.db import migrations

FORWARD = """
CREATE TRIGGER entries_are_append_only BEFORE UPDATE OR DELETE ON wallet_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_are_never_truncated BEFORE TRUNCATE ON wallet_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A bare CHECK (amount > 0) accepts NaN, which PostgreSQL takes to be greater than every number.
ALTER TABLE wallet_entry ADD CONSTRAINT an_entry_is_a_number
    CHECK (amount <> 'NaN' AND balance_after <> 'NaN');
ALTER TABLE wallet_adjustment ADD CONSTRAINT an_adjustment_is_a_number CHECK (amount <> 'NaN');

CREATE FUNCTION apply_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken record;
BEGIN
    SELECT chained.wallet_id, chained.sequence INTO broken
    FROM (
        SELECT wallet_id, account_id, sequence, amount, balance_after,
               lag(sequence) OVER chain AS previous_sequence,
               lag(balance_after) OVER chain AS previous_balance
        FROM new_entries
        WINDOW chain AS (PARTITION BY wallet_id ORDER BY sequence)
    ) AS chained
    JOIN wallet_wallet AS wallet ON wallet.id = chained.wallet_id
    WHERE chained.sequence <> coalesce(chained.previous_sequence, wallet.last_sequence) + 1
       OR chained.balance_after <>
          coalesce(chained.previous_balance, wallet.balance) + chained.amount
       OR chained.account_id <> wallet.account_id
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % of wallet % does not continue its ledger',
            broken.sequence, broken.wallet_id USING ERRCODE = 'check_violation';
    END IF;
    UPDATE wallet_wallet AS wallet
    SET balance = last.balance_after, last_sequence = last.sequence
    FROM (
        SELECT DISTINCT ON (wallet_id) wallet_id, sequence, balance_after
        FROM new_entries ORDER BY wallet_id, sequence DESC
    ) AS last
    WHERE wallet.id = last.wallet_id;
    RETURN NULL;
END $$;
CREATE TRIGGER entries_move_the_balance AFTER INSERT ON wallet_entry
    REFERENCING NEW TABLE AS new_entries
    FOR EACH STATEMENT EXECUTE FUNCTION apply_entries();

CREATE FUNCTION refuse_balance_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'only an entry moves the balance of wallet %', NEW.id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER only_entries_move_the_balance BEFORE UPDATE ON wallet_wallet
    FOR EACH ROW
    WHEN (pg_trigger_depth() = 0 AND
          (OLD.balance, OLD.last_sequence) IS DISTINCT FROM (NEW.balance, NEW.last_sequence))
    EXECUTE FUNCTION refuse_balance_change();
CREATE TRIGGER a_wallet_begins_empty BEFORE INSERT ON wallet_wallet
    FOR EACH ROW WHEN (NEW.balance <> 0 OR NEW.last_sequence <> 0)
    EXECUTE FUNCTION refuse_balance_change();
CREATE TRIGGER wallets_are_never_truncated BEFORE TRUNCATE ON wallet_wallet
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

REVERSE = """
DROP TRIGGER wallets_are_never_truncated ON wallet_wallet;
DROP TRIGGER a_wallet_begins_empty ON wallet_wallet;
DROP TRIGGER only_entries_move_the_balance ON wallet_wallet;
DROP FUNCTION refuse_balance_change;
DROP TRIGGER entries_move_the_balance ON wallet_entry;
DROP FUNCTION apply_entries;
ALTER TABLE wallet_adjustment DROP CONSTRAINT an_adjustment_is_a_number;
ALTER TABLE wallet_entry DROP CONSTRAINT an_entry_is_a_number;
DROP TRIGGER entries_are_never_truncated ON wallet_entry;
DROP TRIGGER entries_are_append_only ON wallet_entry;
"""


class Migration(migrations.Migration):
    dependencies = [("wallet", "0001_initial"), ("accounts", "0002_integrity")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
