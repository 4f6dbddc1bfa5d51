"""No day of the front page counts what is no number; and the index that leads audits to charges."""

from django.db import migrations

# To PostgreSQL, NaN is greater than every number: a check that asks for more than zero accepts it.
# The columns refuse infinity by themselves, for each has its digits.
NUMBERS = """
ALTER TABLE billing_portal_businessday
    ADD CONSTRAINT a_business_day_is_in_numbers CHECK ('NaN' NOT IN (
        monthly_recurring_revenue, credit_sold, credit_used, liability,
        receivable, collected, failed
    ));
"""

CHARGES = "CREATE INDEX charges_by_change ON djstripe_charge (djstripe_updated);"


class Migration(migrations.Migration):
    replaces = [
        ("billing_portal", name)
        for name in (
            "0010_audit_of_what_is_new",
            "0016_amounts_are_numbers",
        )
    ]
    dependencies = [
        ("billing_portal", "0001_models"),
        ("djstripe", "0001_initial"),
        # Before dj-stripe's tables, by its name: then fewer models are put together with each app's.
        ("plans", "0002_rules"),
    ]
    operations = [migrations.RunSQL([NUMBERS, CHARGES])]
