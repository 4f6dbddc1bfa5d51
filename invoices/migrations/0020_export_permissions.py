from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("invoices", "0019_who_approves_refunds")]

    operations = [
        migrations.AlterModelOptions(
            name="transaction",
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [("export_transactions", "Can export transactions")],
            },
        ),
        migrations.AlterModelOptions(
            name="refund",
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [("export_refunds", "Can export refunds")],
            },
        ),
    ]
