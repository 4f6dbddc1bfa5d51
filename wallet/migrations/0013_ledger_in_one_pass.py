"""The ledger's references are checked for a whole statement at once, with the chain (I1, I14).

A foreign key is checked for each row, and so are those that usage never sets: four columns of two
keys each. One pass over the new entries does the same: their wallets exist and are of their account,
and whatever else they name exists and is of the same account (or wallet). What can be named is never
deleted and keeps its account, so that a reference that held once holds for good.
"""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER wallets_are_never_deleted BEFORE DELETE ON wallet_wallet
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER adjustments_are_never_deleted BEFORE DELETE ON wallet_adjustment
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER adjustments_are_never_truncated BEFORE TRUNCATE ON wallet_adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER wallets_keep_their_account BEFORE UPDATE ON wallet_wallet FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER adjustments_keep_their_wallet BEFORE UPDATE ON wallet_adjustment FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.wallet_id <> NEW.wallet_id) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transactions_keep_their_account BEFORE UPDATE ON invoices_transaction FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refunds_keep_their_account BEFORE UPDATE ON invoices_refund FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER disputes_keep_their_account BEFORE UPDATE ON invoices_dispute FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id) EXECUTE FUNCTION refuse_change();

CREATE OR REPLACE FUNCTION apply_entries() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    entries bigint;
    entries_that_name bigint;
    continuing bigint;
BEGIN
    SELECT count(*), count(coalesce(transaction_id, refund_id, dispute_id, adjustment_id))
    INTO entries, entries_that_name FROM new_entries;
    IF entries = 0 THEN
        RETURN NULL;
    ELSIF entries = 1 THEN
        UPDATE wallet_wallet AS wallet
        SET balance = entry.balance_after, last_sequence = entry.sequence
        FROM new_entries AS entry
        WHERE wallet.id = entry.wallet_id AND wallet.account_id = entry.account_id
          AND wallet.last_sequence = entry.sequence - 1
          AND wallet.balance = entry.balance_after - entry.amount;
        GET DIAGNOSTICS continuing = ROW_COUNT;
    ELSE
        -- Within a statement each entry continues the one before it, and the first the wallet.
        WITH moved AS (
            UPDATE wallet_wallet AS wallet
            SET balance = ledger.balance_after, last_sequence = ledger.last_sequence
            FROM (
                SELECT wallet_id, account_id, count(*) AS entries,
                       min(sequence) AS first_sequence, max(sequence) AS last_sequence,
                       max(before) FILTER (WHERE is_first) AS balance_before,
                       max(balance_after) FILTER (WHERE is_last) AS balance_after,
                       bool_and(is_first OR continues) AS is_chained
                FROM (
                    SELECT wallet_id, account_id, sequence, balance_after,
                           balance_after - amount AS before,
                           lag(wallet_id) OVER chain IS NULL AS is_first,
                           lead(wallet_id) OVER chain IS NULL AS is_last,
                           lag(sequence) OVER chain = sequence - 1
                           AND lag(balance_after) OVER chain = balance_after - amount AS continues
                    FROM new_entries
                    WINDOW chain AS (PARTITION BY wallet_id ORDER BY sequence)
                ) AS entry
                GROUP BY wallet_id, account_id
            ) AS ledger
            WHERE wallet.id = ledger.wallet_id AND wallet.account_id = ledger.account_id
              AND wallet.last_sequence = ledger.first_sequence - 1
              AND wallet.balance = ledger.balance_before AND ledger.is_chained
            RETURNING ledger.entries
        )
        SELECT sum(moved.entries) INTO continuing FROM moved;
    END IF;
    IF continuing IS DISTINCT FROM entries THEN
        RAISE EXCEPTION 'an entry of wallets % does not continue its ledger',
            (SELECT array_agg(DISTINCT wallet_id) FROM new_entries)
            USING ERRCODE = 'check_violation';
    END IF;
    IF entries_that_name > 0 THEN
        PERFORM FROM new_entries AS entry
        WHERE transaction_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM invoices_transaction AS named
                WHERE named.id = entry.transaction_id AND named.account_id = entry.account_id)
           OR refund_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM invoices_refund AS named
                WHERE named.id = entry.refund_id AND named.account_id = entry.account_id)
           OR dispute_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM invoices_dispute AS named
                WHERE named.id = entry.dispute_id AND named.account_id = entry.account_id)
           OR adjustment_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM wallet_adjustment AS named
                WHERE named.id = entry.adjustment_id AND named.wallet_id = entry.wallet_id);
        IF FOUND THEN
            RAISE EXCEPTION 'an entry names what is not of its account'
                USING ERRCODE = 'foreign_key_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;

ALTER TABLE wallet_entry
    DROP CONSTRAINT an_entry_names_its_own_adjustment,
    DROP CONSTRAINT an_entry_names_its_own_dispute,
    DROP CONSTRAINT an_entry_names_its_own_refund,
    DROP CONSTRAINT an_entry_names_its_own_transaction;

-- Room for a new version of a wallet on its page: then no index has to know of it.
ALTER TABLE wallet_wallet SET (fillfactor = 50);
"""

REVERSE = """
ALTER TABLE wallet_wallet RESET (fillfactor);
ALTER TABLE wallet_entry
    ADD CONSTRAINT an_entry_names_its_own_transaction
        FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT an_entry_names_its_own_refund
        FOREIGN KEY (refund_id, account_id) REFERENCES invoices_refund (id, account_id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT an_entry_names_its_own_dispute
        FOREIGN KEY (dispute_id, account_id) REFERENCES invoices_dispute (id, account_id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT an_entry_names_its_own_adjustment
        FOREIGN KEY (adjustment_id, wallet_id) REFERENCES wallet_adjustment (id, wallet_id)
        DEFERRABLE INITIALLY DEFERRED;

CREATE OR REPLACE FUNCTION apply_entries() RETURNS trigger LANGUAGE plpgsql AS $$
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
ALTER FUNCTION apply_entries() RESET ALL;
DROP TRIGGER disputes_keep_their_account ON invoices_dispute;
DROP TRIGGER refunds_keep_their_account ON invoices_refund;
DROP TRIGGER transactions_keep_their_account ON invoices_transaction;
DROP TRIGGER adjustments_keep_their_wallet ON wallet_adjustment;
DROP TRIGGER wallets_keep_their_account ON wallet_wallet;
DROP TRIGGER adjustments_are_never_truncated ON wallet_adjustment;
DROP TRIGGER adjustments_are_never_deleted ON wallet_adjustment;
DROP TRIGGER wallets_are_never_deleted ON wallet_wallet;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_idempotent_requests"),
        ("invoices", "0016_settled_by_time"),
        ("wallet", "0012_fewer_indexes"),
    ]

    operations = [
        migrations.AlterField(
            model_name="entry",
            name="account",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="accounts.account",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="adjustment",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="wallet.adjustment",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="dispute",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="invoices.dispute",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="refund",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="invoices.refund",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="transaction",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="invoices.transaction",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="wallet",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="wallet.wallet",
            ),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
