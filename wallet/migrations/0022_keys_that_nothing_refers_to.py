"""Entries referred to refunds and disputes by keys that carry the account, until migration 0013.

Since then a trigger checks what entries refer to, and nothing needs these unique keys any more: an
id is unique without an account beside it.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE invoices_refund DROP CONSTRAINT refunds_of_an_account;
ALTER TABLE invoices_dispute DROP CONSTRAINT disputes_of_an_account;
"""

REVERSE = """
ALTER TABLE invoices_refund ADD CONSTRAINT refunds_of_an_account UNIQUE (id, account_id);
ALTER TABLE invoices_dispute ADD CONSTRAINT disputes_of_an_account UNIQUE (id, account_id);
"""


class Migration(migrations.Migration):
    dependencies = [("wallet", "0021_read_month_end"), ("invoices", "0014_of_one_account")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
