"""More addresses that get receipts, a few at most."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0012_members_and_invitations")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="receipt_copies",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.EmailField(max_length=254),
                blank=True,
                default=list,
                help_text="Who gets receipts and credit notes, too: addresses with commas between them.",
                size=None,
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(receipt_copies__len__lte=5),
                name="receipts_have_so_many_copies",
            ),
        ),
    ]
