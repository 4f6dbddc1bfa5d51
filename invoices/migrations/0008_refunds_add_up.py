"""What holds about refunds, whoever writes them and however many at once (invariant I10).

Pending and succeeded refunds never exceed their payment, in dollars, tax or rials; and
`refunded_amount` of the transaction is what succeeded, kept by the trigger alone.
"""

from django.db import migrations

FORWARD = """
-- We ask for multiples of ten baisa; what Stripe's dashboard did is recorded as it is.
ALTER TABLE invoices_refund ADD CONSTRAINT a_refund_is_paid_in_steps_of_ten_baisa
    CHECK (origin <> 'portal' OR mod(charged_amount, 0.010) = 0);

CREATE FUNCTION check_refund() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER refund_transitions BEFORE INSERT OR UPDATE ON invoices_refund
    FOR EACH ROW EXECUTE FUNCTION check_refund();

CREATE FUNCTION add_up_refunds() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER refunds_add_up AFTER INSERT OR UPDATE ON invoices_refund
    FOR EACH ROW EXECUTE FUNCTION add_up_refunds();

CREATE TRIGGER refunds_are_never_deleted BEFORE DELETE ON invoices_refund
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refunds_are_never_truncated BEFORE TRUNCATE ON invoices_refund
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Its number is drawn last, so that the sequence is locked for as little as can be.
CREATE FUNCTION check_credit_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM invoices_refund
               WHERE id = NEW.id AND status = 'succeeded' AND credit_note_number = '') THEN
        RAISE EXCEPTION 'refund % succeeded without a credit note', NEW.number
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER a_refund_that_succeeded_has_a_credit_note
    AFTER INSERT OR UPDATE OF status ON invoices_refund
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_credit_note();

CREATE FUNCTION refuse_refunded_amount() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'only a refund moves the refunded amount of %', NEW.number
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER only_refunds_move_the_refunded_amount BEFORE UPDATE ON invoices_transaction
    FOR EACH ROW
    WHEN (pg_trigger_depth() = 0 AND OLD.refunded_amount IS DISTINCT FROM NEW.refunded_amount)
    EXECUTE FUNCTION refuse_refunded_amount();
CREATE TRIGGER nothing_is_refunded_when_opened BEFORE INSERT ON invoices_transaction
    FOR EACH ROW WHEN (NEW.refunded_amount <> 0) EXECUTE FUNCTION refuse_refunded_amount();
"""

REVERSE = """
DROP TRIGGER nothing_is_refunded_when_opened ON invoices_transaction;
DROP TRIGGER only_refunds_move_the_refunded_amount ON invoices_transaction;
DROP FUNCTION refuse_refunded_amount;
DROP TRIGGER a_refund_that_succeeded_has_a_credit_note ON invoices_refund;
DROP FUNCTION check_credit_note;
DROP TRIGGER refunds_are_never_truncated ON invoices_refund;
DROP TRIGGER refunds_are_never_deleted ON invoices_refund;
DROP TRIGGER refunds_add_up ON invoices_refund;
DROP FUNCTION add_up_refunds;
DROP TRIGGER refund_transitions ON invoices_refund;
DROP FUNCTION check_refund;
ALTER TABLE invoices_refund DROP CONSTRAINT a_refund_is_paid_in_steps_of_ten_baisa;
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0007_refunds"), ("accounts", "0002_integrity")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
