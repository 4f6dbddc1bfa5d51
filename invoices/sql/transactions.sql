-- A transaction goes forward, and nothing of a paid one changes (invariants I11 and I16).

CREATE OR REPLACE FUNCTION check_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE OR REPLACE FUNCTION check_lines_of_unpaid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- OLD is null for an INSERT, NEW for a DELETE.
    IF EXISTS (SELECT 1 FROM invoices_transaction
               WHERE id IN (OLD.transaction_id, NEW.transaction_id) AND status = 'paid') THEN
        RAISE EXCEPTION 'the lines of a paid transaction never change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION check_lines_sum() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    total numeric;
    tax numeric;
BEGIN
    SELECT sum(amount), coalesce(sum(amount) FILTER (WHERE is_tax), 0) INTO total, tax
    FROM invoices_line WHERE transaction_id = NEW.id;
    IF total IS DISTINCT FROM NEW.amount THEN
        RAISE EXCEPTION 'transaction %: its lines sum to %, not %', NEW.number, total, NEW.amount
            USING ERRCODE = 'check_violation';
    END IF;
    IF tax <> NEW.tax_amount THEN
        RAISE EXCEPTION 'transaction %: its lines have % of tax, not %', NEW.number, tax,
            NEW.tax_amount USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION refuse_change_of_tax() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'transaction %: its tax is fixed when it is opened', OLD.number
        USING ERRCODE = 'restrict_violation';
END $$;
