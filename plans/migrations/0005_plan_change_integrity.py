"""Plan changes: legal transitions, the period they act in, and the versions they freeze."""

from django.db import migrations

FORWARD = """
ALTER TABLE plans_subscription ADD CONSTRAINT subscription_of_account UNIQUE (id, account_id);
ALTER TABLE plans_planchange ADD CONSTRAINT a_plan_change_is_of_its_account
    FOREIGN KEY (subscription_id, account_id) REFERENCES plans_subscription (id, account_id)
    DEFERRABLE INITIALLY DEFERRED;

CREATE FUNCTION check_plan_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.status IN ('applied', 'canceled') AND to_jsonb(NEW) <> to_jsonb(OLD) THEN
            RAISE EXCEPTION 'plan change % is % and never changes again', OLD.id, OLD.status
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF (NEW.account_id, NEW.subscription_id, NEW.from_version_id, NEW.to_version_id,
            NEW.transaction_id, NEW.period_number)
           IS DISTINCT FROM
           (OLD.account_id, OLD.subscription_id, OLD.from_version_id, OLD.to_version_id,
            OLD.transaction_id, OLD.period_number) THEN
            RAISE EXCEPTION 'plan change %: what was agreed to is fixed', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
            ('processing', 'applied'), ('processing', 'failed'), ('failed', 'applied'),
            ('scheduled', 'applied'), ('scheduled', 'canceled')) THEN
            RAISE EXCEPTION 'plan change %: % to % is not a legal transition',
                OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF NEW.status = 'applied' AND NOT EXISTS (
        SELECT 1 FROM plans_renewal AS renewal
        WHERE renewal.id = NEW.renewal_id AND renewal.subscription_id = NEW.subscription_id
          AND renewal.account_id = NEW.account_id
          AND NEW.effective_at >= renewal.period_start
          AND NEW.effective_at < renewal.period_end) THEN
        RAISE EXCEPTION 'plan change %: % is not in the period it says', NEW.id, NEW.effective_at
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_changes_follow_the_rules BEFORE INSERT OR UPDATE ON plans_planchange
    FOR EACH ROW EXECUTE FUNCTION check_plan_change();
CREATE TRIGGER plan_changes_are_never_deleted BEFORE DELETE ON plans_planchange
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER plan_changes_are_never_truncated BEFORE TRUNCATE ON plans_planchange
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

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
"""

REVERSE = """
CREATE OR REPLACE FUNCTION refuse_if_subscribed(version bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM plans_subscription WHERE plan_version_id = version)
       OR EXISTS (SELECT 1 FROM plans_renewal WHERE plan_version_id = version) THEN
        RAISE EXCEPTION 'plan version % has been subscribed to and never changes; make a new one',
            version USING ERRCODE = 'restrict_violation';
    END IF;
END $$;
DROP TRIGGER plan_changes_are_never_truncated ON plans_planchange;
DROP TRIGGER plan_changes_are_never_deleted ON plans_planchange;
DROP TRIGGER plan_changes_follow_the_rules ON plans_planchange;
DROP FUNCTION check_plan_change;
ALTER TABLE plans_planchange DROP CONSTRAINT a_plan_change_is_of_its_account;
ALTER TABLE plans_subscription DROP CONSTRAINT subscription_of_account;
"""


class Migration(migrations.Migration):
    dependencies = [("plans", "0004_plan_changes"), ("accounts", "0002_integrity")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
