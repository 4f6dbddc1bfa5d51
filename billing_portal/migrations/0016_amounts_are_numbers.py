"""No day of the front page counts what is no number.

To PostgreSQL, NaN is greater than every number: a check that asks for more than zero accepts it. The
columns refuse infinity by themselves, for each has its digits.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE billing_portal_businessday
    ADD CONSTRAINT a_business_day_is_in_numbers CHECK ('NaN' NOT IN (
        monthly_recurring_revenue, credit_sold, credit_used, liability,
        receivable, collected, failed
    ));
"""

REVERSE = """
ALTER TABLE billing_portal_businessday DROP CONSTRAINT a_business_day_is_in_numbers;
"""


class Migration(migrations.Migration):
    dependencies = [("billing_portal", "0015_staff_groups")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
