"""The tables of plans, subscriptions, rentals and usage, as the models describe them.

It replaces the first and the last of the migrations that were here before, so that a database that
has only some of them is told apart: see `check_migrations` in billing_portal/checks.py.
"""

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.text
import djmoney.models.fields
from django.conf import settings
from django.db import migrations, models

from accounts.tables_at_once import TablesAtOnce


class Migration(TablesAtOnce):
    replaces = [
        ("plans", name)
        for name in (
            "0001_initial",
            "0003_rental_history",
            "0004_plan_changes",
            "0007_usage_by_time",
            "0008_daily_spend",
            "0009_renewals_in_order",
            "0010_periods_by_time",
            "0011_fewer_indexes",
            "0012_record_usage",
            "0014_summarize_by_time",
            "0018_usage_by_day",
            "0019_usage_by_month_of_deduction",
            "0020_workspaces",
            "0021_subscriber_moves",
            "0022_staff_actions",
            "0024_usage_free_of_charge",
            "0027_records_by_their_id",
        )
    ]
    initial = True

    dependencies = [
        ("accounts", "0001_models"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("invoices", "0001_models"),
    ]

    operations = [
        migrations.CreateModel(
            name="Feature",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "key",
                    models.SlugField(
                        help_text="The platform's own key.", max_length=64, unique=True
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "unit",
                    models.CharField(
                        help_text="Singular: minute, 1,000 tokens, seat.", max_length=50
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("rental", "Rental"), ("consumable", "Consumable")], max_length=16
                    ),
                ),
                ("position", models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                "ordering": ["position", "key"],
            },
        ),
        migrations.CreateModel(
            name="Plan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=64, unique=True)),
                ("name", models.CharField(max_length=100)),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("public", "Public"),
                            ("enterprise", "Enterprise"),
                            ("custom", "Custom"),
                        ],
                        default="public",
                        max_length=16,
                    ),
                ),
                (
                    "pricing",
                    models.CharField(
                        choices=[
                            ("pay_as_you_go", "Pay as you go"),
                            ("fixed_monthly", "Fixed monthly"),
                            ("volume_tiers", "Volume tiers"),
                        ],
                        default="fixed_monthly",
                        max_length=16,
                    ),
                ),
                ("description", models.CharField(blank=True, max_length=300)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["position", "slug"],
                "permissions": [("archive_plan", "Can archive a plan and restore it")],
            },
        ),
        migrations.CreateModel(
            name="PlanVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="plans.plan",
                    ),
                ),
                ("number", models.PositiveSmallIntegerField()),
                (
                    "monthly_price_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "monthly_price",
                    djmoney.models.fields.MoneyField(decimal_places=2, max_digits=12),
                ),
                (
                    "minimum_top_up_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "minimum_top_up",
                    djmoney.models.fields.MoneyField(decimal_places=2, max_digits=12),
                ),
                ("published_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["plan", "-number"],
                "permissions": [
                    ("publish_planversion", "Can publish a version and move subscribers to it")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("plan", "number"), name="plan_versions_are_numbered"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("monthly_price__gte", 0)),
                        name="monthly_price_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("minimum_top_up__gt", 0)),
                        name="minimum_top_up_positive",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FeaturePrice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="prices",
                        to="plans.planversion",
                    ),
                ),
                (
                    "feature",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="prices",
                        to="plans.feature",
                    ),
                ),
                (
                    "included_quantity",
                    models.DecimalField(decimal_places=6, default=0, max_digits=18),
                ),
                (
                    "unit_price_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                ("unit_price", djmoney.models.fields.MoneyField(decimal_places=8, max_digits=18)),
                (
                    "maximum",
                    models.PositiveIntegerField(
                        blank=True, help_text="Rentals: no more than this may be held.", null=True
                    ),
                ),
            ],
            options={
                "ordering": ["feature__position"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("version", "feature"), name="one_price_per_feature"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("included_quantity__gte", 0)),
                        name="included_quantity_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("unit_price__gte", 0)), name="unit_price_not_negative"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PriceTier",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "price",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tiers",
                        to="plans.featureprice",
                    ),
                ),
                ("above_quantity", models.DecimalField(decimal_places=6, max_digits=18)),
                ("discount_percent", models.DecimalField(decimal_places=2, max_digits=5)),
            ],
            options={
                "ordering": ["above_quantity"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("price", "above_quantity"), name="tiers_are_distinct"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("above_quantity__gt", 0)),
                        name="a_tier_begins_above_zero",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("discount_percent__gt", 0), ("discount_percent__lte", 100)
                        ),
                        name="a_tier_discount_is_a_percentage",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
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
                        related_name="subscriptions",
                        to="accounts.account",
                    ),
                ),
                (
                    "plan_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriptions",
                        to="plans.planversion",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("inactive", "Inactive"),
                            ("active", "Active"),
                            ("past_due", "Past due"),
                            ("canceled", "Canceled"),
                        ],
                        default="inactive",
                        max_length=16,
                    ),
                ),
                ("anchor", models.DateTimeField(blank=True, null=True)),
                ("current_period_number", models.PositiveIntegerField(default=0)),
                ("current_period_start", models.DateTimeField(blank=True, null=True)),
                ("current_period_end", models.DateTimeField(blank=True, null=True)),
                ("cancel_at_period_end", models.BooleanField(default=False)),
                ("past_due_since", models.DateTimeField(blank=True, null=True)),
                (
                    "grace_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="Staff let services go on until then, unpaid.",
                        null=True,
                    ),
                ),
                (
                    "reminded_period_number",
                    models.PositiveIntegerField(
                        default=0, help_text="The last period whose charge was announced by e-mail."
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("extend_grace", "Can let services go on while a renewal is unpaid"),
                    ("reset_usage_cycle", "Can give back what a period includes"),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ("active", "past_due"))),
                        fields=["current_period_end", "id"],
                        name="subscriptions_to_renew",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ("active", "past_due"))),
                        fields=("account",),
                        name="one_current_subscription_per_account",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "inactive")),
                        fields=("account",),
                        name="one_inactive_subscription_per_account",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("anchor__isnull", True), ("status", "inactive")),
                            models.Q(("status", "inactive"), _negated=True),
                            _connector="OR",
                        ),
                        name="an_inactive_subscription_has_not_begun",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status__in", ("active", "past_due")), _negated=True),
                            models.Q(
                                ("anchor__isnull", False),
                                ("current_period_end__isnull", False),
                                ("current_period_number__gte", 1),
                                ("current_period_start__isnull", False),
                                ("ended_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="a_current_subscription_has_a_period",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("past_due_since__isnull", False), ("status", "past_due")),
                            models.Q(
                                models.Q(("status", "past_due"), _negated=True),
                                ("past_due_since__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="past_due_says_since_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("grace_until__isnull", True), ("status", "past_due"), _connector="OR"
                        ),
                        name="grace_is_for_what_is_past_due",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Renewal",
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
                        related_name="renewals",
                        to="accounts.account",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="renewals",
                        to="plans.subscription",
                    ),
                ),
                (
                    "plan_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="renewals",
                        to="plans.planversion",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("anchor", models.DateTimeField()),
                ("period_start", models.DateTimeField()),
                ("period_end", models.DateTimeField()),
                (
                    "amount_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                ("amount", djmoney.models.fields.MoneyField(decimal_places=2, max_digits=12)),
                (
                    "status",
                    models.CharField(
                        choices=[("due", "Due"), ("paid", "Paid"), ("void", "Void")],
                        default="due",
                        max_length=16,
                    ),
                ),
                (
                    "transaction",
                    models.OneToOneField(
                        blank=True,
                        help_text="The paid transaction.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="renewal",
                        to="invoices.transaction",
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("paid_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-number"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "due")),
                        fields=["next_attempt_at", "id"],
                        name="renewals_to_charge",
                    ),
                    models.Index(
                        fields=["account", "period_start", "period_end"], name="periods_of_account"
                    ),
                    models.Index(fields=["created_at"], name="periods_by_time"),
                    models.Index(
                        condition=models.Q(("paid_at__isnull", False)),
                        fields=["paid_at"],
                        name="periods_by_payment",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "subscription", "number"), name="a_period_is_billed_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("number__gte", 1)), name="periods_count_from_one"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gte", 0)), name="renewal_amount_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("paid_at__isnull", False),
                                ("status", "paid"),
                                models.Q(
                                    ("amount", 0), ("transaction__isnull", False), _connector="OR"
                                ),
                            ),
                            models.Q(
                                models.Q(("status", "paid"), _negated=True),
                                ("paid_at__isnull", True),
                                ("transaction__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="a_paid_renewal_was_free_or_has_its_transaction",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Rental",
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
                        related_name="rentals",
                        to="accounts.account",
                    ),
                ),
                (
                    "feature",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rentals",
                        to="plans.feature",
                    ),
                ),
                ("quantity", models.PositiveIntegerField()),
                (
                    "quantity_at_renewal",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="A smaller number asked for, from the next period on.",
                        null=True,
                    ),
                ),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "via",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("dashboard", "Dashboard"),
                            ("admin", "Support"),
                            ("api", "Platform"),
                            ("renewal", "Release at renewal"),
                            ("plan", "Not in the new plan"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        blank=True,
                        help_text="Who asked for this quantity, when it was a person.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
            ],
            options={
                "ordering": ["feature__position", "-started_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("ended_at__isnull", True), ("started_at__isnull", False)
                        ),
                        fields=("account", "feature"),
                        name="one_open_rental_per_feature",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("quantity_at_renewal__isnull", True),
                            ("quantity_at_renewal__lt", models.F("quantity")),
                            _connector="OR",
                        ),
                        name="only_a_release_waits_for_renewal",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DailySpend",
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
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.account",
                    ),
                ),
                (
                    "renewal",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="plans.renewal",
                    ),
                ),
                (
                    "feature",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="plans.feature",
                    ),
                ),
                ("workspace", models.CharField(blank=True, max_length=200)),
                ("day", models.DateField(help_text="In the account's timezone.")),
                (
                    "month",
                    models.DateField(
                        help_text="The first day of the month in which it was deducted."
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=6, max_digits=18)),
                ("quantity", models.DecimalField(decimal_places=6, max_digits=24)),
                ("calls", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "day", "feature", "workspace", "renewal", "month"),
                        name="one_sum_for_a_day",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SpendProgress",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.account",
                    ),
                ),
                (
                    "through_id",
                    models.BigIntegerField(help_text="The newest record that is in them."),
                ),
                ("timezone", models.CharField(help_text="Whose days they are.", max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="Workspace",
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
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="workspaces",
                        to="accounts.account",
                    ),
                ),
                ("name", models.CharField(max_length=200)),
            ],
            options={
                "indexes": [
                    models.Index(
                        django.contrib.postgres.indexes.OpClass(
                            django.db.models.functions.text.Upper("name"), name="text_pattern_ops"
                        ),
                        name="workspaces_by_start_of_name",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "name"), name="one_workspace_of_a_name"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PlanChange",
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
                        related_name="plan_changes",
                        to="accounts.account",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plan_changes",
                        to="plans.subscription",
                    ),
                ),
                (
                    "from_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes_from",
                        to="plans.planversion",
                    ),
                ),
                (
                    "to_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes_to",
                        to="plans.planversion",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("processing", "Being charged"),
                            ("scheduled", "At the next renewal"),
                            ("applied", "In force"),
                            ("failed", "Payment failed"),
                            ("canceled", "Taken back"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "period_number",
                    models.PositiveIntegerField(help_text="The period in which it was asked for."),
                ),
                (
                    "renewal",
                    models.ForeignKey(
                        blank=True,
                        help_text="The period in which it came into force.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plan_changes",
                        to="plans.renewal",
                    ),
                ),
                ("effective_at", models.DateTimeField(blank=True, null=True)),
                (
                    "transaction",
                    models.OneToOneField(
                        blank=True,
                        help_text="What was charged for the rest of the period.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plan_change",
                        to="invoices.transaction",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reason",
                    models.CharField(blank=True, help_text="Staff's reason.", max_length=2000),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [
                    models.Index(fields=["account", "renewal"], name="plan_changes_of_period")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "scheduled")),
                        fields=("subscription",),
                        name="one_scheduled_plan_change_per_subscription",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "processing")),
                        fields=("subscription",),
                        name="one_plan_change_is_charged_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("from_version", models.F("to_version")), _negated=True),
                        name="a_plan_change_changes_the_version",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("effective_at__isnull", False),
                                ("renewal__isnull", False),
                                ("status", "applied"),
                            ),
                            models.Q(
                                models.Q(("status", "applied"), _negated=True),
                                ("effective_at__isnull", True),
                                ("renewal__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="an_applied_plan_change_says_from_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status__in", ["processing", "failed"]), _negated=True),
                            ("transaction__isnull", False),
                            _connector="OR",
                        ),
                        name="a_charged_plan_change_has_its_transaction",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SubscriberMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "plan_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriber_moves",
                        to="plans.planversion",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("reason", models.CharField(max_length=2000)),
                (
                    "tells_customers",
                    models.BooleanField(
                        default=True,
                        help_text="Each customer is told by e-mail of the plan and its price.",
                    ),
                ),
                ("moved", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("finished_at__isnull", True)),
                        fields=("plan_version",),
                        name="one_unfinished_move_to_a_version",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True),
                        name="a_subscriber_move_has_a_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Allowance",
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
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="allowances",
                        to="accounts.account",
                    ),
                ),
                (
                    "renewal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="allowances",
                        to="plans.renewal",
                    ),
                ),
                (
                    "feature",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="allowances",
                        to="plans.feature",
                    ),
                ),
                ("included", models.DecimalField(decimal_places=6, default=0, max_digits=18)),
                ("used", models.DecimalField(decimal_places=6, default=0, max_digits=18)),
                (
                    "billed_quantity",
                    models.DecimalField(decimal_places=6, default=0, max_digits=18),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "renewal", "feature"), name="one_allowance_per_period"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("used__gte", 0),
                            ("used__lte", models.F("included")),
                            ("billed_quantity__gte", 0),
                        ),
                        name="used_never_exceeds_granted",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageRecord",
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
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usage_records",
                        to="accounts.account",
                    ),
                ),
                (
                    "record_id",
                    models.CharField(help_text="The platform's id of the record.", max_length=200),
                ),
                (
                    "feature",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usage_records",
                        to="plans.feature",
                    ),
                ),
                (
                    "renewal",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usage_records",
                        to="plans.renewal",
                    ),
                ),
                (
                    "plan_version",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="usage_records",
                        to="plans.planversion",
                    ),
                ),
                ("quantity", models.DecimalField(decimal_places=6, max_digits=18)),
                ("included_quantity", models.DecimalField(decimal_places=6, max_digits=18)),
                ("billed_quantity", models.DecimalField(decimal_places=6, max_digits=18)),
                ("unit_price", models.DecimalField(decimal_places=8, max_digits=18)),
                ("amount", models.DecimalField(decimal_places=6, max_digits=18)),
                (
                    "included_before",
                    models.DecimalField(
                        decimal_places=6,
                        help_text="What was left of the allowance before it.",
                        max_digits=18,
                    ),
                ),
                (
                    "billed_before",
                    models.DecimalField(
                        decimal_places=6,
                        help_text="Units billed in the period before it.",
                        max_digits=18,
                    ),
                ),
                ("balance_before", models.DecimalField(decimal_places=6, max_digits=18)),
                ("balance_after", models.DecimalField(decimal_places=6, max_digits=18)),
                ("occurred_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                ("workspace", models.CharField(blank=True, max_length=200)),
                ("source", models.CharField(blank=True, max_length=200)),
                ("description", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "ordering": ["-occurred_at", "-id"],
                "indexes": [
                    models.Index(fields=["account", "-occurred_at", "-id"], name="usage_history"),
                    models.Index(
                        condition=models.Q(("amount", 0)),
                        fields=["account", "-occurred_at", "-id"],
                        name="usage_free_of_charge",
                    ),
                    models.Index(fields=["account", "id"], name="usage_as_recorded"),
                    django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True, fields=["recorded_at"], name="usage_by_time_recorded"
                    ),
                    django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True,
                        fields=["occurred_at"],
                        name="usage_by_time_occurred",
                        opclasses=["timestamptz_minmax_multi_ops"],
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("record_id", "account"), name="a_record_is_charged_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "quantity",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("included_quantity"), "+", models.F("billed_quantity")
                                ),
                            ),
                            ("included_quantity__gte", 0),
                            ("billed_quantity__gte", 0),
                            ("quantity__lte", 1000000000),
                            ("included_quantity__lte", models.F("included_before")),
                        ),
                        name="included_and_billed_make_the_quantity",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount__gte", 0),
                            (
                                "balance_after",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("balance_before"), "-", models.F("amount")
                                ),
                            ),
                        ),
                        name="the_amount_lowers_the_balance",
                    ),
                ],
            },
        ),
    ]
