-- What holds about approvals, whoever writes them and however many at once (invariant I15).

CREATE OR REPLACE FUNCTION check_adjustment() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE OR REPLACE FUNCTION check_approval_request() RETURNS trigger LANGUAGE plpgsql AS $$
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

-- At the end of the transaction: the effect is written before its request refers to it.
CREATE OR REPLACE FUNCTION check_has_approval() RETURNS trigger LANGUAGE plpgsql AS $$
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
