"""A line of a paid transaction can't be moved to another one either (invariant I16).

Until now only the transaction it was moved to was looked at.
"""

from django.db import migrations

FORWARD = """
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
"""

REVERSE = """
CREATE OR REPLACE FUNCTION check_lines_of_unpaid() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0003_one_attempt_per_request")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
