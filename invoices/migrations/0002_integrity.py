"""Legal transitions and the finality of a paid transaction (invariants I11 and I16)."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION check_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status NOT IN ('checkout', 'processing') THEN
            RAISE EXCEPTION 'a transaction is opened as checkout or processing, not %', NEW.status
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.account_id, NEW.number, NEW.purpose, NEW.subject_id, NEW.amount, NEW.amount_currency,
        NEW.charged_amount, NEW.charged_amount_currency, NEW.exchange_rate, NEW.created_at)
       IS DISTINCT FROM
       (OLD.account_id, OLD.number, OLD.purpose, OLD.subject_id, OLD.amount, OLD.amount_currency,
        OLD.charged_amount, OLD.charged_amount_currency, OLD.exchange_rate, OLD.created_at) THEN
        RAISE EXCEPTION 'transaction %: who, what for and how much are fixed when it is opened',
            OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status = 'paid' AND
       (to_jsonb(NEW) - 'refunded_amount') <> (to_jsonb(OLD) - 'refunded_amount') THEN
        RAISE EXCEPTION 'transaction % is paid and never changes again', OLD.number
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
        ('checkout', 'processing'), ('checkout', 'paid'), ('checkout', 'failed'),
        ('processing', 'paid'), ('processing', 'failed'), ('failed', 'paid')) THEN
        RAISE EXCEPTION 'transaction %: % to % is not a legal transition',
            OLD.number, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER transaction_transitions BEFORE INSERT OR UPDATE ON invoices_transaction
    FOR EACH ROW EXECUTE FUNCTION check_transaction();
CREATE TRIGGER transactions_are_never_deleted BEFORE DELETE ON invoices_transaction
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transactions_are_never_truncated BEFORE TRUNCATE ON invoices_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_lines_of_unpaid() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line record;
BEGIN
    IF TG_OP = 'DELETE' THEN line := OLD; ELSE line := NEW; END IF;
    IF EXISTS (SELECT 1 FROM invoices_transaction
               WHERE id = line.transaction_id AND status = 'paid') THEN
        RAISE EXCEPTION 'the lines of a paid transaction never change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN line;
END $$;
CREATE TRIGGER lines_of_a_paid_transaction_never_change
    BEFORE INSERT OR UPDATE OR DELETE ON invoices_line
    FOR EACH ROW EXECUTE FUNCTION check_lines_of_unpaid();

CREATE FUNCTION check_lines_sum() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    total numeric;
BEGIN
    SELECT sum(amount) INTO total FROM invoices_line WHERE transaction_id = NEW.id;
    IF total IS DISTINCT FROM NEW.amount THEN
        RAISE EXCEPTION 'transaction %: its lines sum to %, not %', NEW.number, total, NEW.amount
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER lines_sum_to_the_amount
    AFTER INSERT OR UPDATE OF status ON invoices_transaction
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_lines_sum();
"""

REVERSE = """
DROP TRIGGER lines_sum_to_the_amount ON invoices_transaction;
DROP FUNCTION check_lines_sum;
DROP TRIGGER lines_of_a_paid_transaction_never_change ON invoices_line;
DROP FUNCTION check_lines_of_unpaid;
DROP TRIGGER transactions_are_never_truncated ON invoices_transaction;
DROP TRIGGER transactions_are_never_deleted ON invoices_transaction;
DROP TRIGGER transaction_transitions ON invoices_transaction;
DROP FUNCTION check_transaction;
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0001_initial"), ("accounts", "0002_integrity")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
