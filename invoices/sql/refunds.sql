-- What holds about refunds, whoever writes them and however many at once (invariants I10 and I15).

CREATE OR REPLACE FUNCTION check_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    payment record;
BEGIN
    -- One refund of a payment at a time: what another one took is seen by the statements below.
    SELECT * INTO payment FROM invoices_transaction WHERE id = NEW.transaction_id
        FOR NO KEY UPDATE;
    IF NEW.account_id <> payment.account_id THEN
        RAISE EXCEPTION 'refund % is of a payment of another account', NEW.number
            USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.charged_amount_currency, NEW.amount_currency, NEW.tax_amount_currency)
       <> (payment.charged_amount_currency, payment.amount_currency, payment.amount_currency) THEN
        RAISE EXCEPTION 'refund % is in another currency than its payment', NEW.number
            USING ERRCODE = 'check_violation';
    END IF;
    IF payment.status <> 'paid' AND (NEW.origin = 'portal' OR NEW.status = 'succeeded') THEN
        RAISE EXCEPTION 'refund %: its payment is %, not paid', NEW.number, payment.status
            USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'pending' THEN
            RAISE EXCEPTION 'a refund is opened as pending, not %', NEW.status
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.account_id, NEW.transaction_id, NEW.number, NEW.origin, NEW.amount, NEW.tax_amount,
        NEW.charged_amount, NEW.reason, NEW.created_at)
       IS DISTINCT FROM
       (OLD.account_id, OLD.transaction_id, OLD.number, OLD.origin, OLD.amount, OLD.tax_amount,
        OLD.charged_amount, OLD.reason, OLD.created_at)
       OR OLD.stripe_refund_id NOT IN ('', NEW.stripe_refund_id)
       OR OLD.credit_note_number NOT IN ('', NEW.credit_note_number) THEN
        RAISE EXCEPTION 'refund %: of what, how much and why are fixed when it is opened',
            OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    -- One that was given up before Stripe's answer was known may still turn out to have succeeded.
    IF OLD.status <> NEW.status AND NOT (
        (OLD.status, NEW.status) IN
            (('pending', 'succeeded'), ('pending', 'failed'), ('succeeded', 'failed'))
        OR (OLD.status, NEW.status, OLD.stripe_refund_id) = ('failed', 'succeeded', '')) THEN
        RAISE EXCEPTION 'refund %: % to % is not a legal transition',
            OLD.number, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION add_up_refunds() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    payment record;
    given record;
BEGIN
    SELECT * INTO payment FROM invoices_transaction WHERE id = NEW.transaction_id;
    SELECT coalesce(sum(amount), 0) AS amount, coalesce(sum(tax_amount), 0) AS tax,
           coalesce(sum(charged_amount), 0) AS charged,
           coalesce(sum(amount) FILTER (WHERE status = 'succeeded'), 0) AS succeeded
    INTO given FROM invoices_refund
    WHERE transaction_id = NEW.transaction_id AND status <> 'failed';
    IF given.amount > payment.amount OR given.charged > payment.charged_amount
       OR given.tax > payment.tax_amount
       OR given.amount - given.tax > payment.amount - payment.tax_amount THEN
        RAISE EXCEPTION 'refunds of % give back more than was paid', payment.number
            USING ERRCODE = 'check_violation';
    END IF;
    UPDATE invoices_transaction SET refunded_amount = given.succeeded
        WHERE id = NEW.transaction_id AND refunded_amount <> given.succeeded;
    RETURN NULL;
END $$;

-- Its number is drawn last, so that the sequence is locked for as little as can be.
CREATE OR REPLACE FUNCTION check_credit_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM invoices_refund
               WHERE id = NEW.id AND status = 'succeeded' AND credit_note_number = '') THEN
        RAISE EXCEPTION 'refund % succeeded without a credit note', NEW.number
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION refuse_refunded_amount() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'only a refund moves the refunded amount of %', NEW.number
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE FUNCTION check_refund_limit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'refund %: who made and who approved it is fixed when it is opened',
            OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.origin = 'portal' AND NEW.approved_by_id IS NULL
       AND NEW.amount > coalesce(NEW.limit_of_maker, 0) THEN
        RAISE EXCEPTION 'refund % of % USD is beyond the limit of who made it, and nobody approved',
            NEW.number, NEW.amount USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION refuse_refund_of_disputed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM invoices_dispute WHERE transaction_id = NEW.transaction_id
               AND status IN ('opened', 'under_review', 'lost')) THEN
        RAISE EXCEPTION 'refund %: the bank has the money of its payment already', NEW.number
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
