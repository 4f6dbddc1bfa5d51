"""What usage may cost in a period, and how it is counted without a write of usage's own.

The balance had nothing been used since the period began is moved by all that is not usage; how far
the balance is below it is what was spent. A batch of usage pays for a condition that is false.
"""

from decimal import Decimal

from django.db import migrations, models
from django.db.models import Q

FORWARD = """
CREATE FUNCTION move_unspent_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE wallet_wallet SET unspent_balance = unspent_balance + NEW.amount
    WHERE account_id = NEW.account_id AND unspent_balance IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER what_is_not_usage_is_not_spent AFTER INSERT ON wallet_entry
    FOR EACH ROW WHEN (NEW.kind <> 'usage') EXECUTE FUNCTION move_unspent_balance();
"""

REVERSE = """
DROP TRIGGER what_is_not_usage_is_not_spent ON wallet_entry;
DROP FUNCTION move_unspent_balance;
"""


class Migration(migrations.Migration):
    dependencies = [("wallet", "0014_summarize_by_time")]

    operations = [
        migrations.AddField(
            model_name="wallet",
            name="spend_cap",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="USD that usage may cost in a period, then services pause; empty: no cap.",
                max_digits=12,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="unspent_balance",
            field=models.DecimalField(
                blank=True, decimal_places=6, editable=False, max_digits=18, null=True
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="spend_since",
            field=models.BigIntegerField(blank=True, editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=Q(spend_cap__gt=0, spend_cap__lte=Decimal("1000000.00")),
                name="spend_cap_is_an_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="wallet",
            constraint=models.CheckConstraint(
                condition=Q(
                    spend_cap__isnull=True, unspent_balance__isnull=True, spend_since__isnull=True
                )
                | Q(
                    spend_cap__isnull=False,
                    unspent_balance__isnull=False,
                    spend_since__isnull=False,
                ),
                name="spend_is_counted_where_it_is_capped",
            ),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
