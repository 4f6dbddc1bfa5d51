-- The ledger's own truth (invariants I1, I2, I10 and I14): entries are inserted, the balance follows.

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
    -- A single entry in one statement: whoever posts one waits for this.
    UPDATE wallet_wallet AS wallet
    SET balance = entry.balance_after, last_sequence = entry.sequence
    FROM new_entries AS entry
    WHERE (SELECT count(*) FROM new_entries) = 1
      AND wallet.id = entry.wallet_id AND wallet.account_id = entry.account_id
      AND wallet.last_sequence = entry.sequence - 1
      AND wallet.balance = entry.balance_after - entry.amount
    RETURNING 1, 1, num_nonnulls(entry.transaction_id, entry.refund_id, entry.dispute_id,
                                 entry.adjustment_id)
    INTO entries, continuing, entries_that_name;
    IF NOT FOUND THEN
        SELECT count(*), count(coalesce(transaction_id, refund_id, dispute_id, adjustment_id))
        INTO entries, entries_that_name FROM new_entries;
        IF entries = 0 THEN
            RETURN NULL;
        END IF;
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

CREATE OR REPLACE FUNCTION refuse_balance_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'only an entry moves the balance of wallet %', NEW.id
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE FUNCTION move_unspent_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE wallet_wallet SET unspent_balance = unspent_balance + NEW.amount
    WHERE account_id = NEW.account_id AND unspent_balance IS NOT NULL;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION check_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bought numeric;
    moved numeric;
BEGIN
    SELECT coalesce(sum(amount) FILTER (WHERE kind IN ('top_up', 'auto_refill')), 0),
           coalesce(sum(amount) FILTER (WHERE kind NOT IN ('top_up', 'auto_refill')), 0)
    INTO bought, moved FROM wallet_entry WHERE transaction_id = NEW.transaction_id;
    IF moved > 0 OR -moved > bought THEN
        RAISE EXCEPTION 'transaction % bought % of credit, % of it would be taken back',
            NEW.transaction_id, bought, -moved USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
