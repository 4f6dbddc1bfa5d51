"""The delivery log: each attempt as it was."""

import django.db.models.deletion
from django.db import migrations, models

NEVER_CHANGED = """
CREATE TRIGGER attempts_are_never_changed BEFORE UPDATE ON accounts_deliveryattempt
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_message_without_an_account"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeliveryAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "number",
                    models.PositiveSmallIntegerField(
                        help_text="Begins anew when the message is sent again."
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("duration", models.DurationField()),
                (
                    "status",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="What the platform answered; nothing for an e-mail.",
                        null=True,
                    ),
                ),
                ("error", models.TextField(blank=True)),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="delivery_attempts",
                        to="accounts.message",
                    ),
                ),
            ],
            options={
                "ordering": ["-started_at", "-id"],
                "indexes": [
                    models.Index(fields=["message", "-started_at"], name="attempts_of_message"),
                    models.Index(fields=["started_at"], name="attempts_by_age"),
                ],
            },
        ),
        migrations.RunSQL(
            NEVER_CHANGED, "DROP TRIGGER attempts_are_never_changed ON accounts_deliveryattempt"
        ),
    ]
