"""No price, allowance or line of usage is of an amount that is none.

To PostgreSQL, NaN is greater than every number: a check that asks for more than zero accepts it. The
columns refuse infinity by themselves, for each has its digits.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE plans_planversion
    ADD CONSTRAINT a_plan_has_a_price_in_numbers CHECK (
        'NaN' NOT IN (monthly_price, minimum_top_up)
    );
ALTER TABLE plans_featureprice
    ADD CONSTRAINT a_price_is_a_number CHECK ('NaN' NOT IN (included_quantity, unit_price));
ALTER TABLE plans_pricetier
    ADD CONSTRAINT a_tier_begins_at_a_number CHECK (above_quantity <> 'NaN');
ALTER TABLE plans_renewal
    ADD CONSTRAINT a_renewal_costs_a_number CHECK (amount <> 'NaN');
ALTER TABLE plans_allowance
    ADD CONSTRAINT an_allowance_is_in_numbers CHECK (
        'NaN' NOT IN (included, used, billed_quantity)
    );
ALTER TABLE plans_usagerecord
    DROP CONSTRAINT usage_is_a_number,
    ADD CONSTRAINT usage_is_a_number CHECK ('NaN' NOT IN (
        quantity, included_quantity, billed_quantity, unit_price, amount,
        included_before, billed_before, balance_before, balance_after
    ));
ALTER TABLE plans_dailyspend
    ADD CONSTRAINT spend_of_a_day_is_in_numbers CHECK ('NaN' NOT IN (amount, quantity));
"""

REVERSE = """
ALTER TABLE plans_planversion DROP CONSTRAINT a_plan_has_a_price_in_numbers;
ALTER TABLE plans_featureprice DROP CONSTRAINT a_price_is_a_number;
ALTER TABLE plans_pricetier DROP CONSTRAINT a_tier_begins_at_a_number;
ALTER TABLE plans_renewal DROP CONSTRAINT a_renewal_costs_a_number;
ALTER TABLE plans_allowance DROP CONSTRAINT an_allowance_is_in_numbers;
ALTER TABLE plans_usagerecord
    DROP CONSTRAINT usage_is_a_number,
    ADD CONSTRAINT usage_is_a_number
        CHECK (quantity <> 'NaN' AND amount <> 'NaN' AND unit_price <> 'NaN');
ALTER TABLE plans_dailyspend DROP CONSTRAINT spend_of_a_day_is_in_numbers;
"""


class Migration(migrations.Migration):
    dependencies = [("plans", "0022_staff_actions")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
