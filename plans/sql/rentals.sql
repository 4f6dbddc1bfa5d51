-- No more is ever begun to be held than the plan allows. What is held of a plan that allows less came
-- before it: it is kept, or some of it is released.

CREATE OR REPLACE FUNCTION check_rental_maximum() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed integer;
    before integer;
BEGIN
    IF NEW.started_at IS NULL OR NEW.ended_at IS NOT NULL THEN RETURN NEW; END IF;
    SELECT price.maximum INTO allowed
    FROM plans_subscription AS subscription
    JOIN plans_featureprice AS price ON price.version_id = subscription.plan_version_id
    WHERE subscription.account_id = NEW.account_id
      AND subscription.status IN ('active', 'past_due')
      AND price.feature_id = NEW.feature_id;
    IF allowed IS NULL OR NEW.quantity <= allowed THEN RETURN NEW; END IF;
    SELECT max(quantity) INTO before FROM plans_rental
    WHERE account_id = NEW.account_id AND feature_id = NEW.feature_id
      AND ended_at = NEW.started_at;
    IF NEW.quantity <= before THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'rental of feature % by account %: % is more than the % that the plan allows',
        NEW.feature_id, NEW.account_id, NEW.quantity, allowed USING ERRCODE = 'check_violation';
END $$;
