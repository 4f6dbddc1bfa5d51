-- What triggers and constraints of people and records call (migrations/0002_rules.py).

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

-- Each reason at most once, so that lifting it removes it.
CREATE OR REPLACE FUNCTION pause_reasons_are_distinct(reasons varchar[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS
    $$ SELECT count(*) = count(DISTINCT reason) FROM unnest(reasons) AS reason $$;

CREATE OR REPLACE FUNCTION a_key_keeps_its_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'API key % keeps its account', OLD.id USING ERRCODE = 'restrict_violation';
END $$;

-- Asked with the account locked: of two who take the last two owners, the second one waits and fails.
CREATE OR REPLACE FUNCTION the_last_owner_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM accounts_account WHERE id = OLD.account_id FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT 1 FROM accounts_membership WHERE account_id = OLD.account_id AND role = 'owner'
    ) THEN
        RAISE EXCEPTION 'the last owner of account % stays', OLD.account_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'the_last_owner_stays';
    END IF;
    RETURN NULL;
END $$;
