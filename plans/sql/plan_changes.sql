-- Plan changes go forward, in the period that they say.

CREATE OR REPLACE FUNCTION check_plan_change() RETURNS trigger LANGUAGE plpgsql AS $$
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
