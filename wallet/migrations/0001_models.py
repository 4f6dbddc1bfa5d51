"""The tables of the ledger, auto-refill and approvals, as the models describe them.

It replaces the first and the last of the migrations that were here before, so that a database that
has only some of them is told apart: see `check_migrations` in billing_portal/checks.py.
"""

from decimal import Decimal

import django.contrib.postgres.indexes
import django.db.models.deletion
import djmoney.models.fields
import djmoney.money
from django.conf import settings
from django.db import migrations, models

from accounts.tables_at_once import TablesAtOnce


class Migration(TablesAtOnce):
    replaces = [
        ("wallet", name)
        for name in (
            "0001_initial",
            "0003_low_balance_limit",
            "0004_refunds",
            "0006_disputes",
            "0007_auto_refill_consent",
            "0009_who_approves_adjustments",
            "0011_long_ledger",
            "0012_fewer_indexes",
            "0013_ledger_in_one_pass",
            "0014_summarize_by_time",
            "0015_spend_cap",
            "0017_entries_but_usage_by_time",
            "0018_approvals",
            "0020_export_permission",
            "0021_read_month_end",
            "0024_approvals_expire",
            "0025_a_single_entry_at_once",
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
            name="Wallet",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="wallet",
                        to="accounts.account",
                    ),
                ),
                (
                    "balance",
                    models.DecimalField(decimal_places=6, default=0, editable=False, max_digits=18),
                ),
                ("last_sequence", models.BigIntegerField(default=0, editable=False)),
                (
                    "low_balance_limit",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        default=Decimal("5.00"),
                        help_text="USD. The customer is told when the balance falls below it; empty: never.",
                        max_digits=12,
                        null=True,
                    ),
                ),
                (
                    "spend_cap",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="USD that usage may cost in a period, then services pause; empty: no cap.",
                        max_digits=12,
                        null=True,
                    ),
                ),
                (
                    "unspent_balance",
                    models.DecimalField(
                        blank=True, decimal_places=6, editable=False, max_digits=18, null=True
                    ),
                ),
                ("spend_since", models.BigIntegerField(blank=True, editable=False, null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("low_balance_limit__gte", 0), ("low_balance_limit__lte", 100000)
                        ),
                        name="low_balance_limit_is_an_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("spend_cap__gt", 0), ("spend_cap__lte", Decimal("1000000.00"))
                        ),
                        name="spend_cap_is_an_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("spend_cap__isnull", True),
                                ("spend_since__isnull", True),
                                ("unspent_balance__isnull", True),
                            ),
                            models.Q(
                                ("spend_cap__isnull", False),
                                ("spend_since__isnull", False),
                                ("unspent_balance__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="spend_is_counted_where_it_is_capped",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Adjustment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjustments",
                        to="wallet.wallet",
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=6, max_digits=18)),
                ("reason", models.TextField()),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "approved_by",
                    models.ForeignKey(
                        blank=True,
                        help_text="A second person who agreed to it, where one was asked.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approved_adjustments",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "author_limit",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="Up to what (USD) the author adjusted alone then.",
                        max_digits=12,
                        null=True,
                    ),
                ),
                (
                    "reverses",
                    models.OneToOneField(
                        blank=True,
                        help_text="The adjustment that this one takes back.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversal",
                        to="wallet.adjustment",
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [("reverse_adjustment", "Can take an adjustment back")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("approved_by__isnull", True),
                            models.Q(("approved_by", models.F("author")), _negated=True),
                            _connector="OR",
                        ),
                        name="who_approves_an_adjustment_is_not_its_author",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True),
                        name="an_adjustment_has_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount", 0), _negated=True),
                        name="an_adjustment_moves_the_balance",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ApprovalRequest",
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
                        related_name="approval_requests",
                        to="accounts.account",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("adjustment", "Adjustment"),
                            ("reversal", "Reversal of an adjustment"),
                            ("refund", "Refund"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "amount",
                    models.DecimalField(
                        decimal_places=2,
                        help_text="USD; what is deducted is negative.",
                        max_digits=12,
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approval_requests",
                        to="invoices.transaction",
                    ),
                ),
                (
                    "reverses",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversal_requests",
                        to="wallet.adjustment",
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                (
                    "request_key",
                    models.CharField(
                        help_text="Of the form: sent again, it leads to this request.",
                        max_length=100,
                        unique=True,
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approvals_asked_for",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "limit_at_request",
                    models.DecimalField(
                        decimal_places=2,
                        help_text="Up to what (USD) they did it alone then.",
                        max_digits=12,
                    ),
                ),
                ("requested_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Waiting"),
                            ("approved", "Approved"),
                            ("declined", "Declined"),
                            ("withdrawn", "Withdrawn"),
                            ("executed", "Executed"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                        ],
                        default="requested",
                        max_length=16,
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approvals_decided",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decision_reason", models.CharField(blank=True, max_length=500)),
                ("failure_message", models.CharField(blank=True, max_length=500)),
                (
                    "adjustment",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approval",
                        to="wallet.adjustment",
                    ),
                ),
                (
                    "refund",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approval",
                        to="invoices.refund",
                    ),
                ),
            ],
            options={
                "ordering": ["-requested_at", "-id"],
                "permissions": [
                    ("decide_approval", "Can approve or decline what a colleague asks for"),
                    ("ask_for_refund", "Can ask for a refund that somebody else approves"),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "requested")),
                        fields=["-requested_at"],
                        name="approvals_that_wait",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("decided_at__isnull", True),
                                ("decided_by__isnull", True),
                                ("state", "requested"),
                            ),
                            models.Q(
                                ("decided_at__gt", models.F("expires_at")),
                                ("decided_at__isnull", False),
                                ("decided_by__isnull", True),
                                ("state", "expired"),
                            ),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("decided_by", models.F("requested_by")),
                                ("state", "withdrawn"),
                            ),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("decided_by__isnull", False),
                                ("state__in", ["approved", "declined", "executed", "failed"]),
                                models.Q(("decided_by", models.F("requested_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="who_decides_is_not_who_asked",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["requested", "expired"]),
                            models.Q(("decision_reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="a_decision_has_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True),
                        name="what_is_asked_has_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "failed"), _negated=True),
                            models.Q(("failure_message", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="what_failed_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("kind", "adjustment"),
                                ("reverses__isnull", True),
                                ("transaction__isnull", True),
                                models.Q(("amount", 0), _negated=True),
                            ),
                            models.Q(
                                ("kind", "reversal"),
                                ("reverses__isnull", False),
                                ("transaction__isnull", True),
                                models.Q(("amount", 0), _negated=True),
                            ),
                            models.Q(
                                ("amount__gt", 0),
                                ("kind", "refund"),
                                ("reverses__isnull", True),
                                ("transaction__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="what_is_asked_is_said_whole",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("adjustment__isnull", True),
                                ("refund__isnull", True),
                                ("state__in", ["requested", "declined", "withdrawn", "expired"]),
                            ),
                            models.Q(("adjustment__isnull", True), ("state", "failed")),
                            models.Q(
                                ("adjustment__isnull", True),
                                ("refund__isnull", False),
                                ("state", "approved"),
                            ),
                            models.Q(
                                ("adjustment__isnull", False),
                                ("refund__isnull", True),
                                ("state", "executed"),
                                models.Q(("kind", "refund"), _negated=True),
                            ),
                            models.Q(
                                ("adjustment__isnull", True),
                                ("kind", "refund"),
                                ("refund__isnull", False),
                                ("state", "executed"),
                            ),
                            _connector="OR",
                        ),
                        name="what_was_approved_has_its_effect",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["approved", "executed"]), _negated=True),
                            ("decided_at__lte", models.F("expires_at")),
                            _connector="OR",
                        ),
                        name="what_has_expired_is_not_approved",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("reverses__isnull", False), ("state", "requested")),
                        fields=("reverses",),
                        name="one_open_request_to_reverse_an_adjustment",
                    ),
                ],
            },
        ),
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
                    "given_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
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
                "indexes": [
                    models.Index(fields=["account", "-created_at"], name="consents_of_account")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("action", "switched_off"),
                            models.Q(("text", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="a_consent_says_to_what",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AutoRefill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "wallet",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="auto_refill",
                        to="wallet.wallet",
                    ),
                ),
                ("enabled", models.BooleanField(default=False)),
                (
                    "threshold_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "threshold",
                    djmoney.models.fields.MoneyField(
                        decimal_places=2, default=djmoney.money.Money(10, "USD"), max_digits=12
                    ),
                ),
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
                        decimal_places=2,
                        default=djmoney.money.Money(25, "USD"),
                        max_digits=12,
                        verbose_name="top up amount",
                    ),
                ),
                (
                    "monthly_maximum",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="USD it may charge in a calendar month, tax included; empty: no limit.",
                        max_digits=12,
                        null=True,
                    ),
                ),
                (
                    "consent",
                    models.ForeignKey(
                        blank=True,
                        help_text="What it charges by.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="wallet.autorefillconsent",
                    ),
                ),
                ("consecutive_failures", models.PositiveSmallIntegerField(default=0)),
                (
                    "next_attempt_at",
                    models.DateTimeField(
                        blank=True, help_text="After a decline: not before this moment.", null=True
                    ),
                ),
                (
                    "capped_until",
                    models.DateTimeField(
                        blank=True, help_text="A cap is reached: not before this moment.", null=True
                    ),
                ),
                ("suspended_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("threshold__gte", 0), ("threshold__lte", Decimal("9999999999.99"))
                        ),
                        name="threshold_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount__gt", 0), ("amount__lte", Decimal("9999999999.99"))
                        ),
                        name="top_up_amount_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("monthly_maximum__gt", 0),
                            ("monthly_maximum__lte", Decimal("9999999999.99")),
                        ),
                        name="monthly_maximum_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("enabled", False), ("consent__isnull", False), _connector="OR"
                        ),
                        name="nothing_is_charged_without_consent",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Entry",
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
                        related_name="entries",
                        to="accounts.account",
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="wallet.wallet",
                    ),
                ),
                ("sequence", models.BigIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("top_up", "Top-up"),
                            ("auto_refill", "Auto-refill"),
                            ("usage", "Usage"),
                            ("adjustment", "Adjustment"),
                            ("refund", "Refund"),
                            ("dispute", "Dispute"),
                            ("dispute_reversal", "Dispute reversal"),
                        ],
                        max_length=20,
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=6, max_digits=18)),
                ("balance_after", models.DecimalField(decimal_places=6, max_digits=18)),
                ("description", models.CharField(max_length=300)),
                (
                    "transaction",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="invoices.transaction",
                    ),
                ),
                (
                    "adjustment",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="wallet.adjustment",
                    ),
                ),
                (
                    "refund",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="invoices.refund",
                    ),
                ),
                (
                    "dispute",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="invoices.dispute",
                    ),
                ),
                (
                    "usage_id",
                    models.CharField(
                        blank=True,
                        help_text="The platform's id of the usage record.",
                        max_length=200,
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "entries",
                "ordering": ["-sequence"],
                "permissions": [
                    ("export_entries", "Can export entries of the ledger"),
                    ("read_month_end", "Can read the month-end report"),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("kind", "usage"), _negated=True),
                        fields=["account", "sequence"],
                        name="entries_but_usage",
                    ),
                    models.Index(
                        condition=models.Q(("kind", "usage"), _negated=True),
                        fields=["account", "-created_at", "-id"],
                        name="entries_but_usage_by_time",
                    ),
                    models.Index(
                        condition=models.Q(("kind", "usage"), _negated=True),
                        fields=["kind", "-id"],
                        name="entries_of_a_kind",
                    ),
                    django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True, fields=["created_at"], name="entries_by_time"
                    ),
                    models.Index(
                        condition=models.Q(("transaction__isnull", False)),
                        fields=["transaction"],
                        name="entries_of_transaction",
                    ),
                    models.Index(
                        condition=models.Q(("refund__isnull", False)),
                        fields=["refund"],
                        name="entries_of_refund",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "sequence"), name="entries_are_numbered"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind__in", ["top_up", "auto_refill"])),
                        fields=("transaction",),
                        name="a_paid_transaction_is_credited_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind__in", ["top_up", "auto_refill"]), _negated=True),
                            models.Q(("amount__gt", 0), ("transaction__isnull", False)),
                            _connector="OR",
                        ),
                        name="credit_is_bought_with_a_transaction",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("amount__lt", 0), ("refund__isnull", False)),
                        fields=("refund",),
                        name="a_refund_takes_credit_back_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("amount__gt", 0), ("refund__isnull", False)),
                        fields=("refund",),
                        name="a_failed_refund_returns_credit_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("refund__isnull", True),
                            models.Q(("kind", "refund"), ("transaction__isnull", False)),
                            _connector="OR",
                        ),
                        name="a_refund_is_posted_as_one",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("dispute__isnull", False)),
                        fields=("dispute", "kind"),
                        name="a_dispute_debits_once_and_is_reinstated_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("adjustment__isnull", False)),
                        fields=("adjustment",),
                        name="an_adjustment_is_posted_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("dispute__isnull", True),
                                (
                                    "kind__in",
                                    ["top_up", "auto_refill", "usage", "adjustment", "refund"],
                                ),
                            ),
                            models.Q(
                                ("amount__lt", 0),
                                ("dispute__isnull", False),
                                ("kind", "dispute"),
                                ("transaction__isnull", False),
                            ),
                            models.Q(
                                ("amount__gt", 0),
                                ("dispute__isnull", False),
                                ("kind", "dispute_reversal"),
                                ("transaction__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="a_dispute_takes_credit_and_its_reversal_returns_it",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("usage_id", ""), _negated=True),
                        fields=("account", "usage_id"),
                        name="one_entry_per_usage_record",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount", 0), _negated=True),
                        name="an_entry_moves_the_balance",
                    ),
                ],
            },
        ),
    ]
