"""Renewal runs walk what is due in order, page by page: indexes that hold the order to its end."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("plans", "0008_daily_spend")]

    operations = [
        migrations.RemoveIndex(model_name="renewal", name="renewals_to_charge"),
        migrations.RemoveIndex(model_name="subscription", name="subscriptions_to_renew"),
        migrations.AddIndex(
            model_name="renewal",
            index=models.Index(
                condition=models.Q(("status", "due")),
                fields=["next_attempt_at", "id"],
                name="renewals_to_charge",
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("status__in", ("active", "past_due"))),
                fields=["current_period_end", "id"],
                name="subscriptions_to_renew",
            ),
        ),
    ]
