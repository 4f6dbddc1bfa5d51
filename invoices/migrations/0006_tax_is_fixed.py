"""Tax is fixed when a transaction is opened, follows from its rate, and has a line of its own.

Rate and tax can't change afterwards (invariant I16). PostgreSQL's round() rounds a half away from
zero, as accounts/money.py does.
"""

from django.db import migrations, models

FORWARD = """
ALTER TABLE invoices_transaction ADD CONSTRAINT tax_follows_from_the_rate
    CHECK (tax_amount = round((amount - tax_amount) * tax_rate / 100, 2));

CREATE FUNCTION refuse_change_of_tax() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'transaction %: its tax is fixed when it is opened', OLD.number
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER tax_of_a_transaction_is_fixed BEFORE UPDATE ON invoices_transaction
    FOR EACH ROW WHEN (
        (NEW.tax_rate, NEW.tax_amount, NEW.tax_amount_currency)
        IS DISTINCT FROM (OLD.tax_rate, OLD.tax_amount, OLD.tax_amount_currency)
    ) EXECUTE FUNCTION refuse_change_of_tax();

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
"""

REVERSE = """
CREATE OR REPLACE FUNCTION check_lines_sum() RETURNS trigger LANGUAGE plpgsql AS $$
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
DROP TRIGGER tax_of_a_transaction_is_fixed ON invoices_transaction;
DROP FUNCTION refuse_change_of_tax;
ALTER TABLE invoices_transaction DROP CONSTRAINT tax_follows_from_the_rate;
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0005_tax"), ("accounts", "0003_country")]

    operations = [
        migrations.AddField(
            model_name="line",
            name="is_tax",
            field=models.BooleanField(
                default=False, help_text="What is added to the net amount of the lines before it."
            ),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
