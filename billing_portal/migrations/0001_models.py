"""The tables of heartbeats, audits and the days of the business, as the models describe them.

It replaces the first and the last of the migrations that were here before, so that a database that
has only some of them is told apart: see `check_migrations` in billing_portal/checks.py.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("billing_portal", name)
        for name in (
            "0001_initial",
            "0012_front_page",
            "0015_staff_groups",
            "0017_approvals_schedule",
        )
    ]
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64, unique=True)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="AuditReport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("began_at", models.DateTimeField()),
                (
                    "since",
                    models.DateTimeField(
                        blank=True,
                        help_text="Only what came from then on was looked at.",
                        null=True,
                    ),
                ),
                (
                    "violations",
                    models.PositiveIntegerField(help_text="Rows that break an invariant."),
                ),
                ("first_violations", models.JSONField(blank=True, default=list)),
            ],
            options={
                "ordering": ["-began_at", "-id"],
                "indexes": [models.Index(fields=["-began_at", "-id"], name="newest_audit")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("since__isnull", True),
                            ("since__lt", models.F("began_at")),
                            _connector="OR",
                        ),
                        name="an_audit_looks_back",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BusinessDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField(unique=True)),
                ("as_of", models.DateTimeField(help_text="What came later is not counted.")),
                ("monthly_recurring_revenue", models.DecimalField(decimal_places=2, max_digits=18)),
                (
                    "subscriptions",
                    models.PositiveIntegerField(help_text="Subscriptions that cost something."),
                ),
                ("credit_sold", models.DecimalField(decimal_places=6, max_digits=18)),
                ("credit_used", models.DecimalField(decimal_places=6, max_digits=18)),
                (
                    "liability",
                    models.DecimalField(
                        decimal_places=6, help_text="Sum of the balances above zero.", max_digits=18
                    ),
                ),
                (
                    "receivable",
                    models.DecimalField(
                        decimal_places=6, help_text="Sum of the balances below zero.", max_digits=18
                    ),
                ),
                ("negative_wallets", models.PositiveIntegerField()),
                (
                    "collected",
                    models.DecimalField(
                        decimal_places=2,
                        help_text="Payments that were paid, tax included.",
                        max_digits=18,
                    ),
                ),
                ("payments", models.PositiveIntegerField()),
                ("failed", models.DecimalField(decimal_places=2, max_digits=18)),
                ("failures", models.PositiveIntegerField()),
            ],
            options={
                "ordering": ["-day"],
            },
        ),
    ]
