"""Drop the indexes that no query reads: each line of usage paid for every one of them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_delivery_log"),
        ("invoices", "0015_disputes_are_compared"),
        ("wallet", "0011_long_ledger"),
    ]

    operations = [
        # Without an index of its own for the key, Django drops every index of that one column, this
        # constraint's as well: it is made anew below.
        migrations.RemoveConstraint(
            model_name="entry",
            name="a_paid_transaction_is_credited_once",
        ),
        migrations.RemoveConstraint(
            model_name="entry",
            name="entries_are_numbered",
        ),
        migrations.RemoveConstraint(
            model_name="entry",
            name="a_refund_takes_credit_back_once",
        ),
        migrations.RemoveConstraint(
            model_name="entry",
            name="a_failed_refund_returns_credit_once",
        ),
        migrations.RemoveConstraint(
            model_name="entry",
            name="a_dispute_debits_once_and_is_reinstated_once",
        ),
        migrations.AlterField(
            model_name="entry",
            name="account",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="accounts.account",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="adjustment",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="wallet.adjustment",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="dispute",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="invoices.dispute",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="refund",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="invoices.refund",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="transaction",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="invoices.transaction",
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="wallet",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="wallet.wallet",
            ),
        ),
        migrations.RemoveIndex(
            model_name="entry",
            name="entries_of_account",
        ),
        migrations.AddIndex(
            model_name="entry",
            index=models.Index(
                condition=models.Q(("transaction__isnull", False)),
                fields=["transaction"],
                name="entries_of_transaction",
            ),
        ),
        migrations.AddIndex(
            model_name="entry",
            index=models.Index(
                condition=models.Q(("refund__isnull", False)),
                fields=["refund"],
                name="entries_of_refund",
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind__in", ["top_up", "auto_refill"])),
                fields=("transaction",),
                name="a_paid_transaction_is_credited_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.UniqueConstraint(
                fields=("account", "sequence"), name="entries_are_numbered"
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("amount__lt", 0), ("refund__isnull", False)),
                fields=("refund",),
                name="a_refund_takes_credit_back_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("amount__gt", 0), ("refund__isnull", False)),
                fields=("refund",),
                name="a_failed_refund_returns_credit_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("dispute__isnull", False)),
                fields=("dispute", "kind"),
                name="a_dispute_debits_once_and_is_reinstated_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="entry",
            constraint=models.UniqueConstraint(
                condition=models.Q(("adjustment__isnull", False)),
                fields=("adjustment",),
                name="an_adjustment_is_posted_once",
            ),
        ),
    ]
