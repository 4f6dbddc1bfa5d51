-- Periods from the anchor, without gaps, and final once they are paid (invariants I7 and I14).

-- Month arithmetic in UTC, so that the result depends on no session setting. PostgreSQL clamps to
-- the last day of a month that has no such day: 31 January + 1 month is 28 or 29 February.
CREATE OR REPLACE FUNCTION start_of_period(anchor timestamptz, number integer) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE AS $$
    SELECT ((anchor AT TIME ZONE 'UTC') + (number - 1) * interval '1 month') AT TIME ZONE 'UTC'
$$;

CREATE OR REPLACE FUNCTION check_renewal_sequence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number > 1 AND NOT EXISTS (
        SELECT 1 FROM plans_renewal
        WHERE subscription_id = NEW.subscription_id AND number = NEW.number - 1) THEN
        RAISE EXCEPTION 'period % of subscription % would leave a gap',
            NEW.number, NEW.subscription_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION check_renewal_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'paid' AND to_jsonb(NEW) <> to_jsonb(OLD) THEN
        RAISE EXCEPTION 'period % of subscription % is paid and never changes again',
            OLD.number, OLD.subscription_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
