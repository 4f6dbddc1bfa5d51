"""No balance, limit or consent is of an amount that is none; entries and what is asked never were.

To PostgreSQL, NaN is greater than every number: a check that asks for more than zero accepts it. The
columns refuse infinity by themselves, for each has its digits.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE wallet_wallet
    ADD CONSTRAINT a_balance_is_a_number CHECK ('NaN' NOT IN (balance, unspent_balance));
ALTER TABLE wallet_adjustment
    DROP CONSTRAINT an_adjustment_is_a_number,
    ADD CONSTRAINT an_adjustment_is_a_number CHECK ('NaN' NOT IN (amount, author_limit));
ALTER TABLE wallet_autorefillconsent
    ADD CONSTRAINT a_consent_is_to_numbers CHECK (
        'NaN' NOT IN (threshold, amount, monthly_maximum)
    );
"""

REVERSE = """
ALTER TABLE wallet_wallet DROP CONSTRAINT a_balance_is_a_number;
ALTER TABLE wallet_adjustment
    DROP CONSTRAINT an_adjustment_is_a_number,
    ADD CONSTRAINT an_adjustment_is_a_number CHECK (amount <> 'NaN');
ALTER TABLE wallet_autorefillconsent DROP CONSTRAINT a_consent_is_to_numbers;
"""


class Migration(migrations.Migration):
    dependencies = [("wallet", "0022_keys_that_nothing_refers_to")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
