"""Periods from the anchor, frozen plan versions and append-only usage (I2, I7, I14)."""

from django.db import migrations

FORWARD = """
-- Month arithmetic in UTC, so that the result depends on no session setting. PostgreSQL clamps to
-- the last day of a month that has no such day: 31 January + 1 month is 28 or 29 February.
CREATE FUNCTION start_of_period(anchor timestamptz, number integer) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE AS $$
    SELECT ((anchor AT TIME ZONE 'UTC') + (number - 1) * interval '1 month') AT TIME ZONE 'UTC'
$$;

ALTER TABLE plans_renewal ADD CONSTRAINT periods_follow_from_the_anchor CHECK (
    period_start = start_of_period(anchor, number)
    AND period_end = start_of_period(anchor, number + 1));
ALTER TABLE plans_subscription ADD CONSTRAINT the_current_period_follows_from_the_anchor CHECK (
    anchor IS NULL OR current_period_number = 0 OR (
        current_period_start = start_of_period(anchor, current_period_number)
        AND current_period_end = start_of_period(anchor, current_period_number + 1)));
ALTER TABLE plans_subscription
    ADD CONSTRAINT subscription_account_anchor UNIQUE (id, account_id, anchor);
ALTER TABLE plans_renewal ADD CONSTRAINT a_renewal_is_of_its_account_and_anchor
    FOREIGN KEY (subscription_id, account_id, anchor)
    REFERENCES plans_subscription (id, account_id, anchor) DEFERRABLE INITIALLY DEFERRED;

CREATE FUNCTION check_renewal_sequence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number > 1 AND NOT EXISTS (
        SELECT 1 FROM plans_renewal
        WHERE subscription_id = NEW.subscription_id AND number = NEW.number - 1) THEN
        RAISE EXCEPTION 'period % of subscription % would leave a gap',
            NEW.number, NEW.subscription_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER periods_leave_no_gap AFTER INSERT ON plans_renewal
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_renewal_sequence();

CREATE FUNCTION check_renewal_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'paid' AND to_jsonb(NEW) <> to_jsonb(OLD) THEN
        RAISE EXCEPTION 'period % of subscription % is paid and never changes again',
            OLD.number, OLD.subscription_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_paid_period_never_changes BEFORE UPDATE ON plans_renewal
    FOR EACH ROW EXECUTE FUNCTION check_renewal_change();

-- A bare CHECK accepts NaN, which PostgreSQL takes to be greater than every number.
ALTER TABLE plans_usagerecord ADD CONSTRAINT usage_is_a_number
    CHECK (quantity <> 'NaN' AND amount <> 'NaN' AND unit_price <> 'NaN');

CREATE TRIGGER usage_is_append_only BEFORE UPDATE OR DELETE ON plans_usagerecord
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER usage_is_never_truncated BEFORE TRUNCATE ON plans_usagerecord
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_if_subscribed(version bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM plans_subscription WHERE plan_version_id = version)
       OR EXISTS (SELECT 1 FROM plans_renewal WHERE plan_version_id = version) THEN
        RAISE EXCEPTION 'plan version % has been subscribed to and never changes; make a new one',
            version USING ERRCODE = 'restrict_violation';
    END IF;
END $$;
CREATE FUNCTION check_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM refuse_if_subscribed(OLD.id);
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION check_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM refuse_if_subscribed(OLD.version_id); END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    PERFORM refuse_if_subscribed(NEW.version_id);
    RETURN NEW;
END $$;
CREATE FUNCTION check_tier_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM refuse_if_subscribed(version_id) FROM plans_featureprice WHERE id = OLD.price_id;
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    PERFORM refuse_if_subscribed(version_id) FROM plans_featureprice WHERE id = NEW.price_id;
    RETURN NEW;
END $$;
CREATE TRIGGER a_subscribed_version_never_changes BEFORE UPDATE OR DELETE ON plans_planversion
    FOR EACH ROW EXECUTE FUNCTION check_version_change();
CREATE TRIGGER prices_of_a_subscribed_version_never_change
    BEFORE INSERT OR UPDATE OR DELETE ON plans_featureprice
    FOR EACH ROW EXECUTE FUNCTION check_price_change();
CREATE TRIGGER tiers_of_a_subscribed_version_never_change
    BEFORE INSERT OR UPDATE OR DELETE ON plans_pricetier
    FOR EACH ROW EXECUTE FUNCTION check_tier_change();
"""

REVERSE = """
DROP TRIGGER tiers_of_a_subscribed_version_never_change ON plans_pricetier;
DROP TRIGGER prices_of_a_subscribed_version_never_change ON plans_featureprice;
DROP TRIGGER a_subscribed_version_never_changes ON plans_planversion;
DROP FUNCTION check_tier_change;
DROP FUNCTION check_price_change;
DROP FUNCTION check_version_change;
DROP FUNCTION refuse_if_subscribed;
DROP TRIGGER usage_is_never_truncated ON plans_usagerecord;
DROP TRIGGER usage_is_append_only ON plans_usagerecord;
ALTER TABLE plans_usagerecord DROP CONSTRAINT usage_is_a_number;
DROP TRIGGER a_paid_period_never_changes ON plans_renewal;
DROP FUNCTION check_renewal_change;
DROP TRIGGER periods_leave_no_gap ON plans_renewal;
DROP FUNCTION check_renewal_sequence;
ALTER TABLE plans_renewal DROP CONSTRAINT a_renewal_is_of_its_account_and_anchor;
ALTER TABLE plans_subscription DROP CONSTRAINT subscription_account_anchor;
ALTER TABLE plans_subscription DROP CONSTRAINT the_current_period_follows_from_the_anchor;
ALTER TABLE plans_renewal DROP CONSTRAINT periods_follow_from_the_anchor;
DROP FUNCTION start_of_period;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("plans", "0001_initial"),
        ("accounts", "0002_integrity"),
    ]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
