-- What holds about disputes, whoever writes them (invariant I10).

-- The places of a dispute's states; it only moves on, so that old news change nothing.
CREATE OR REPLACE FUNCTION place_of_dispute(status varchar) RETURNS integer LANGUAGE sql IMMUTABLE AS
    $$ SELECT array_position(
        ARRAY['inquiry', 'dismissed', 'opened', 'under_review', 'lost', 'won'], status::text) $$;

CREATE OR REPLACE FUNCTION check_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    payment record;
BEGIN
    SELECT * INTO payment FROM invoices_transaction WHERE id = NEW.transaction_id
        FOR NO KEY UPDATE;
    IF NEW.account_id <> payment.account_id THEN
        RAISE EXCEPTION 'dispute % is of a payment of another account', NEW.stripe_dispute_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.amount > payment.amount OR NEW.tax_amount > payment.tax_amount THEN
        RAISE EXCEPTION 'dispute % holds more than was paid', NEW.stripe_dispute_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        RETURN NEW;
    END IF;
    IF (NEW.account_id, NEW.transaction_id, NEW.stripe_dispute_id, NEW.stripe_charge_id,
        NEW.amount, NEW.tax_amount, NEW.charged_amount, NEW.opened_at)
       IS DISTINCT FROM
       (OLD.account_id, OLD.transaction_id, OLD.stripe_dispute_id, OLD.stripe_charge_id,
        OLD.amount, OLD.tax_amount, OLD.charged_amount, OLD.opened_at) THEN
        RAISE EXCEPTION 'dispute %: of what and how much never changes', OLD.stripe_dispute_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF place_of_dispute(NEW.status) < place_of_dispute(OLD.status) THEN
        RAISE EXCEPTION 'dispute %: % does not go back to %',
            OLD.stripe_dispute_id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
