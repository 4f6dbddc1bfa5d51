"""No payment, line, refund or dispute has an amount that is none.

To PostgreSQL, NaN is greater than every number: a check that asks for more than zero accepts it. The
columns refuse infinity by themselves, for each has its digits.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE invoices_transaction
    ADD CONSTRAINT a_transaction_is_in_numbers CHECK (
        'NaN' NOT IN (amount, tax_rate, tax_amount, charged_amount, exchange_rate, refunded_amount)
    );
ALTER TABLE invoices_line
    ADD CONSTRAINT a_line_is_in_numbers CHECK ('NaN' NOT IN (quantity, unit_price, amount));
ALTER TABLE invoices_refund
    ADD CONSTRAINT a_refund_is_in_numbers CHECK (
        'NaN' NOT IN (amount, tax_amount, charged_amount, limit_of_maker)
    );
ALTER TABLE invoices_dispute
    ADD CONSTRAINT a_dispute_is_in_numbers CHECK (
        'NaN' NOT IN (amount, tax_amount, charged_amount)
    );
"""

REVERSE = """
ALTER TABLE invoices_transaction DROP CONSTRAINT a_transaction_is_in_numbers;
ALTER TABLE invoices_line DROP CONSTRAINT a_line_is_in_numbers;
ALTER TABLE invoices_refund DROP CONSTRAINT a_refund_is_in_numbers;
ALTER TABLE invoices_dispute DROP CONSTRAINT a_dispute_is_in_numbers;
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0022_staff_actions")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
