"""What holds about approvals, whoever writes them and however many at once (invariant I15).

What was asked for never changes and is used at most once (the unique links) for exactly that; and
what is beyond its author's limit or names who approved it has its approval.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE wallet_approvalrequest
    ADD CONSTRAINT what_is_asked_is_a_number
        CHECK (amount <> 'NaN' AND limit_at_request <> 'NaN'),
    ADD CONSTRAINT a_request_is_of_its_own_transaction
        FOREIGN KEY (transaction_id, account_id) REFERENCES invoices_transaction (id, account_id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE wallet_adjustment ADD CONSTRAINT a_reversal_is_of_its_own_wallet
    FOREIGN KEY (reverses_id, wallet_id) REFERENCES wallet_adjustment (id, wallet_id)
    DEFERRABLE INITIALLY DEFERRED;

CREATE FUNCTION check_adjustment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.approved_by_id IS NULL AND abs(NEW.amount) > coalesce(NEW.author_limit, 0) THEN
        RAISE EXCEPTION 'an adjustment of % USD is beyond its author''s limit, and nobody approved',
            NEW.amount USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.reverses_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM wallet_adjustment WHERE id = NEW.reverses_id AND amount = -NEW.amount
           AND reverses_id IS NULL) THEN
        RAISE EXCEPTION 'a reversal takes back all of an adjustment that is none itself'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER adjustments_beyond_a_limit_are_approved BEFORE INSERT ON wallet_adjustment
    FOR EACH ROW EXECUTE FUNCTION check_adjustment();
CREATE TRIGGER adjustments_are_never_changed BEFORE UPDATE ON wallet_adjustment
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_approval_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'requested' THEN
            RAISE EXCEPTION 'an approval is asked for before it is %', NEW.state
                USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.kind = 'reversal' AND NOT EXISTS (
            SELECT 1 FROM wallet_adjustment AS adjustment
            JOIN wallet_wallet AS wallet ON wallet.id = adjustment.wallet_id
            WHERE adjustment.id = NEW.reverses_id AND adjustment.amount = -NEW.amount
              AND wallet.account_id = NEW.account_id) THEN
            RAISE EXCEPTION 'what is to be reversed is another amount or another account''s'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.account_id, NEW.kind, NEW.amount, NEW.transaction_id, NEW.reverses_id, NEW.reason,
        NEW.request_key, NEW.requested_by_id, NEW.limit_at_request, NEW.requested_at,
        NEW.expires_at)
       IS DISTINCT FROM
       (OLD.account_id, OLD.kind, OLD.amount, OLD.transaction_id, OLD.reverses_id, OLD.reason,
        OLD.request_key, OLD.requested_by_id, OLD.limit_at_request, OLD.requested_at,
        OLD.expires_at) THEN
        RAISE EXCEPTION 'approval request %: what was asked for can''t be changed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> 'requested' AND
       (NEW.decided_by_id, NEW.decided_at, NEW.decision_reason, NEW.adjustment_id, NEW.refund_id)
       IS DISTINCT FROM
       (OLD.decided_by_id, OLD.decided_at, OLD.decision_reason, OLD.adjustment_id, OLD.refund_id)
       OR OLD.state <> NEW.state AND NOT (
           OLD.state = 'requested'
           OR (OLD.state, NEW.state) IN (('approved', 'executed'), ('approved', 'failed'))
           OR (OLD.state, NEW.state) = ('failed', 'executed') AND OLD.refund_id IS NOT NULL) THEN
        RAISE EXCEPTION 'approval request %: it is decided, and % does not become %', OLD.id,
            OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.adjustment_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM wallet_adjustment AS adjustment
        JOIN wallet_wallet AS wallet ON wallet.id = adjustment.wallet_id
        WHERE adjustment.id = NEW.adjustment_id
          AND (wallet.account_id, adjustment.amount, adjustment.author_id,
               adjustment.approved_by_id) =
              (NEW.account_id, NEW.amount, NEW.requested_by_id, NEW.decided_by_id)
          AND adjustment.reverses_id IS NOT DISTINCT FROM NEW.reverses_id)
       OR NEW.refund_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM invoices_refund AS refund
        WHERE refund.id = NEW.refund_id
          AND (refund.transaction_id, refund.amount, refund.made_by_id, refund.approved_by_id) =
              (NEW.transaction_id, NEW.amount, NEW.requested_by_id, NEW.decided_by_id)) THEN
        RAISE EXCEPTION 'approval request %: something else was done than was asked for', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approvals_go_forward BEFORE INSERT OR UPDATE ON wallet_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION check_approval_request();
CREATE TRIGGER approvals_are_never_deleted BEFORE DELETE ON wallet_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER approvals_are_never_truncated BEFORE TRUNCATE ON wallet_approvalrequest
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- At the end of the transaction: the effect is written before its request refers to it.
CREATE FUNCTION check_has_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'wallet_adjustment'
       AND NOT EXISTS (SELECT 1 FROM wallet_approvalrequest WHERE adjustment_id = NEW.id)
       OR TG_TABLE_NAME = 'invoices_refund'
       AND NOT EXISTS (SELECT 1 FROM wallet_approvalrequest WHERE refund_id = NEW.id) THEN
        RAISE EXCEPTION '% % says who approved it, and nobody was asked', TG_TABLE_NAME, NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER an_approved_adjustment_was_asked_for AFTER INSERT ON wallet_adjustment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.approved_by_id IS NOT NULL)
    EXECUTE FUNCTION check_has_approval();
CREATE CONSTRAINT TRIGGER an_approved_refund_was_asked_for AFTER INSERT ON invoices_refund
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.approved_by_id IS NOT NULL)
    EXECUTE FUNCTION check_has_approval();
"""

REVERSE = """
DROP TRIGGER an_approved_refund_was_asked_for ON invoices_refund;
DROP TRIGGER an_approved_adjustment_was_asked_for ON wallet_adjustment;
DROP FUNCTION check_has_approval;
DROP TRIGGER approvals_are_never_truncated ON wallet_approvalrequest;
DROP TRIGGER approvals_are_never_deleted ON wallet_approvalrequest;
DROP TRIGGER approvals_go_forward ON wallet_approvalrequest;
DROP FUNCTION check_approval_request;
DROP TRIGGER adjustments_are_never_changed ON wallet_adjustment;
DROP TRIGGER adjustments_beyond_a_limit_are_approved ON wallet_adjustment;
DROP FUNCTION check_adjustment;
ALTER TABLE wallet_adjustment DROP CONSTRAINT a_reversal_is_of_its_own_wallet;
ALTER TABLE wallet_approvalrequest
    DROP CONSTRAINT a_request_is_of_its_own_transaction,
    DROP CONSTRAINT what_is_asked_is_a_number;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("wallet", "0018_approvals"),
        ("invoices", "0019_who_approves_refunds"),
        ("accounts", "0002_integrity"),
    ]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
