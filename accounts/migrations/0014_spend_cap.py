"""Services also pause when usage has cost what the customer allows in a period."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_copies_of_receipts")]

    operations = [
        migrations.RemoveConstraint(model_name="account", name="pause_reasons_are_known"),
        migrations.AlterField(
            model_name="account",
            name="pause_reasons",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("negative_balance", "The balance is below zero"),
                        ("subscription_unpaid", "The subscription is unpaid"),
                        ("spend_cap", "The spend cap is reached"),
                        ("locked", "Locked by support"),
                    ],
                    max_length=32,
                ),
                blank=True,
                default=list,
                size=None,
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    pause_reasons__contained_by=[
                        "negative_balance",
                        "subscription_unpaid",
                        "spend_cap",
                        "locked",
                    ]
                ),
                name="pause_reasons_are_known",
            ),
        ),
    ]
