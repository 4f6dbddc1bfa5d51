"""Staff find payments by a card that was not saved, by state, and disputes by their charge."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("invoices", "0017_attempts_by_purpose")]

    operations = [
        migrations.AddIndex(
            model_name="transaction",
            index=models.Index(
                condition=Q(("card__isnull", True), models.Q(("card_last4", ""), _negated=True)),
                fields=["card_last4"],
                name="transactions_by_last_four",
            ),
        ),
        migrations.AddIndex(
            model_name="transaction",
            index=models.Index(fields=["status", "-id"], name="transactions_by_status"),
        ),
        migrations.AddIndex(
            model_name="transaction",
            index=models.Index(fields=["purpose", "-id"], name="transactions_by_purpose"),
        ),
        migrations.AddIndex(
            model_name="dispute",
            index=models.Index(fields=["stripe_charge_id"], name="disputes_by_charge"),
        ),
    ]
