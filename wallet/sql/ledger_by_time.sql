-- The ledger by time, without an index that each entry would have to be put into.

-- How many entries of an account there were at a moment: they are numbered without gaps in the order
-- in which they came, so halving the numbers finds the place, in some twenty look-ups.
CREATE OR REPLACE FUNCTION entries_until(of_account uuid, moment timestamptz) RETURNS bigint
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

-- How many entries of an account come before the first one from a moment on. Two processes that write
-- have two clocks, so around the moment entries may be out of order for a minute: the first of the
-- later ones bounds, and whatever follows it in the ledger comes after it in the statements, too.
CREATE OR REPLACE FUNCTION entries_before(of_account uuid, moment timestamptz) RETURNS bigint
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
