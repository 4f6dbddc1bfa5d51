"""Keys with scopes, an end and a limit of their own. Keys that exist may do what they could."""

import django.contrib.postgres.fields
import django.core.validators
from django.db import migrations, models
from django.db.models import F, Q

SCOPES = [
    ("usage:write", "Report usage"),
    ("accounts:read", "Read accounts and ask whether a call may start"),
    ("accounts:write", "Provision and change accounts"),
    ("rentals:write", "Take and release rentals, which charges cards"),
]
ALL = [scope for scope, _ in SCOPES]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_gateway_pace")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=32, choices=SCOPES), default=ALL, size=None
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="apikey",
            name="requests_per_minute",
            field=models.PositiveIntegerField(
                null=True,
                blank=True,
                validators=[django.core.validators.MinValueValidator(1)],
                help_text="Of each kind of call; nothing: the portal's general limits.",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="expires_at",
            field=models.DateTimeField(null=True, blank=True),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=Q(scopes__contained_by=ALL) & ~Q(scopes=[]),
                name="a_key_has_scopes_that_are_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=Q(requests_per_minute__isnull=True) | Q(requests_per_minute__gte=1),
                name="a_key_may_ask_at_least_once_a_minute",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")),
                name="a_key_expires_after_it_was_made",
            ),
        ),
    ]
