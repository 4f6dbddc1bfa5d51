"""Auto-refill charges by a recorded consent, at most a monthly maximum."""

from decimal import Decimal

import django.db.models.deletion
import djmoney.models.fields
from django.conf import settings
from django.db import migrations, models

# Rules that are on keep who switched them on and when; what they were shown was not kept then.
KEEP_WHO_SWITCHED_IT_ON = """
WITH given AS (
    INSERT INTO wallet_autorefillconsent (account_id, action, given_by_id, threshold,
        threshold_currency, amount, amount_currency, text, created_at)
    SELECT wallet.account_id, 'switched_on', refill.enabled_by_id, refill.threshold,
        refill.threshold_currency, refill.amount, refill.amount_currency,
        'Switched on before the text agreed to was kept.', refill.enabled_at
    FROM wallet_autorefill AS refill JOIN wallet_wallet AS wallet ON wallet.id = refill.wallet_id
    WHERE refill.enabled
    RETURNING id, account_id
)
UPDATE wallet_autorefill AS refill SET consent_id = given.id
FROM given JOIN wallet_wallet AS wallet ON wallet.account_id = given.account_id
WHERE refill.wallet_id = wallet.id;
-- Checked now: a table with checks to come cannot be altered.
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""

APPEND_ONLY = """
CREATE TRIGGER consents_are_append_only BEFORE UPDATE OR DELETE ON wallet_autorefillconsent
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER consents_are_never_truncated BEFORE TRUNCATE ON wallet_autorefillconsent
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
NO_LONGER_APPEND_ONLY = """
DROP TRIGGER consents_are_never_truncated ON wallet_autorefillconsent;
DROP TRIGGER consents_are_append_only ON wallet_autorefillconsent;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_country"),
        ("wallet", "0006_disputes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AutoRefillConsent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="auto_refill_consents",
                        to="accounts.account",
                    ),
                ),
                (
                    "given_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("switched_on", "Switched on"),
                            ("changed", "Changed"),
                            ("switched_off", "Switched off"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "threshold_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                ("threshold", djmoney.models.fields.MoneyField(decimal_places=2, max_digits=12)),
                (
                    "amount_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "amount",
                    djmoney.models.fields.MoneyField(
                        decimal_places=2, max_digits=12, verbose_name="top up amount"
                    ),
                ),
                (
                    "monthly_maximum",
                    models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True),
                ),
                (
                    "text",
                    models.TextField(blank=True, help_text="What was agreed to, word for word."),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "auto-refill consent",
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.AddField(
            model_name="autorefill",
            name="capped_until",
            field=models.DateTimeField(
                blank=True, help_text="A cap is reached: not before this moment.", null=True
            ),
        ),
        migrations.AddField(
            model_name="autorefill",
            name="monthly_maximum",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="USD it may charge in a calendar month, tax included; empty: no limit.",
                max_digits=12,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="autorefill",
            name="consent",
            field=models.ForeignKey(
                blank=True,
                help_text="What it charges by.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="wallet.autorefillconsent",
            ),
        ),
        migrations.RunSQL(KEEP_WHO_SWITCHED_IT_ON, migrations.RunSQL.noop),
        migrations.RemoveConstraint(
            model_name="autorefill",
            name="threshold_not_negative",
        ),
        migrations.RemoveConstraint(
            model_name="autorefill",
            name="top_up_amount_positive",
        ),
        migrations.RemoveConstraint(
            model_name="autorefill",
            name="an_enabled_refill_says_since_when",
        ),
        migrations.RemoveField(
            model_name="autorefill",
            name="enabled_at",
        ),
        migrations.RemoveField(
            model_name="autorefill",
            name="enabled_by",
        ),
        migrations.AddConstraint(
            model_name="autorefill",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("threshold__gte", 0), ("threshold__lte", Decimal("9999999999.99"))
                ),
                name="threshold_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="autorefill",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0), ("amount__lte", Decimal("9999999999.99"))),
                name="top_up_amount_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="autorefill",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("monthly_maximum__gt", 0),
                    ("monthly_maximum__lte", Decimal("9999999999.99")),
                ),
                name="monthly_maximum_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="autorefill",
            constraint=models.CheckConstraint(
                condition=models.Q(("enabled", False), ("consent__isnull", False), _connector="OR"),
                name="nothing_is_charged_without_consent",
            ),
        ),
        migrations.AddIndex(
            model_name="autorefillconsent",
            index=models.Index(fields=["account", "-created_at"], name="consents_of_account"),
        ),
        migrations.AddConstraint(
            model_name="autorefillconsent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("action", "switched_off"),
                    models.Q(("text", ""), _negated=True),
                    _connector="OR",
                ),
                name="a_consent_says_to_what",
            ),
        ),
        migrations.RunSQL(APPEND_ONLY, NO_LONGER_APPEND_ONLY),
    ]
