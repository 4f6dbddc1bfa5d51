"""Answers that are given again, and what finding accounts needs."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_api_key_scopes")]

    operations = [
        migrations.CreateModel(
            name="IdempotentRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "target",
                    models.CharField(max_length=200, help_text="What it makes or changes."),
                ),
                ("idempotency_key", models.CharField(max_length=255)),
                (
                    "fingerprint",
                    models.CharField(max_length=64, help_text="The SHA-256 of what was asked for."),
                ),
                ("claimed_until", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("status", models.PositiveSmallIntegerField(null=True, blank=True)),
                ("body", models.TextField(blank=True)),
                (
                    "api_key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="requests",
                        to="accounts.apikey",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("api_key", "target", "idempotency_key"),
                        name="one_answer_per_idempotency_key",
                    ),
                    models.CheckConstraint(
                        condition=Q(status__isnull=True, body="") | Q(status__range=(200, 299)),
                        name="only_success_is_answered_again",
                    ),
                ],
                "indexes": [models.Index(fields=["created_at"], name="idempotent_requests_by_age")],
            },
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(fields=["-created_at", "-id"], name="accounts_by_age"),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(Upper("owner_email"), name="accounts_by_owner_email"),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                fields=["-created_at", "-id"],
                condition=~Q(pause_reasons=[]),
                name="paused_accounts_by_age",
            ),
        ),
    ]
