-- What somebody has subscribed to, or agreed to move to, never changes (invariant I14).

-- What somebody agreed to move to is as fixed as what somebody is on.
CREATE OR REPLACE FUNCTION refuse_if_subscribed(version bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM plans_subscription WHERE plan_version_id = version)
       OR EXISTS (SELECT 1 FROM plans_renewal WHERE plan_version_id = version)
       OR EXISTS (SELECT 1 FROM plans_planchange WHERE to_version_id = version) THEN
        RAISE EXCEPTION 'plan version % has been subscribed to and never changes; make a new one',
            version USING ERRCODE = 'restrict_violation';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION check_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_if_subscribed(OLD.id);
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION check_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM refuse_if_subscribed(OLD.version_id); END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    PERFORM refuse_if_subscribed(NEW.version_id);
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION check_tier_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM refuse_if_subscribed(version_id) FROM plans_featureprice WHERE id = OLD.price_id;
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    PERFORM refuse_if_subscribed(version_id) FROM plans_featureprice WHERE id = NEW.price_id;
    RETURN NEW;
END $$;
