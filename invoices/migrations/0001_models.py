"""The tables of transactions, refunds, disputes and reconciliation, as the models describe them.

It replaces the first and the last of the migrations that were here before, so that a database that
has only some of them is told apart: see `check_migrations` in billing_portal/checks.py.
"""

import django.db.models.deletion
import djmoney.models.fields
import djmoney.money
from django.conf import settings
from django.db import migrations, models

from accounts.tables_at_once import TablesAtOnce


class Migration(TablesAtOnce):
    replaces = [
        ("invoices", name)
        for name in (
            "0001_initial",
            "0003_one_attempt_per_request",
            "0005_tax",
            "0007_refunds",
            "0009_line_unit",
            "0010_confirmation",
            "0011_disputes",
            "0012_reconciliation",
            "0013_payment_question",
            "0015_disputes_are_compared",
            "0016_settled_by_time",
            "0017_attempts_by_purpose",
            "0018_search",
            "0019_who_approves_refunds",
            "0020_export_permissions",
            "0021_when_disputes_moved_money",
            "0022_staff_actions",
            "0023_amounts_are_numbers",
        )
    ]
    initial = True

    dependencies = [
        ("accounts", "0001_models"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ReconciliationRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                (
                    "phase",
                    models.CharField(
                        choices=[
                            ("stripe", "Stripe's payments"),
                            ("portal", "Our transactions"),
                            ("done", "Done"),
                        ],
                        default="stripe",
                        max_length=16,
                    ),
                ),
                ("cursor", models.CharField(blank=True, max_length=255)),
                (
                    "payments",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Captured payments at Stripe in the window.",
                        verbose_name="payments at Stripe",
                    ),
                ),
                (
                    "transactions",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Paid transactions of ours in the window.",
                        verbose_name="transactions here",
                    ),
                ),
                ("repaired", models.PositiveIntegerField(default=0)),
                (
                    "unexplained",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Findings that need a person and that nobody has dealt with.",
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-started_at", "-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", False), ("phase", "done")),
                            models.Q(
                                models.Q(("phase", "done"), _negated=True),
                                ("finished_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="a_run_is_done_when_it_is_finished",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Transaction",
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
                        related_name="transactions",
                        to="accounts.account",
                    ),
                ),
                ("number", models.CharField(max_length=32, unique=True)),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("top_up", "Top-up"),
                            ("auto_refill", "Auto-refill"),
                            ("renewal", "Renewal"),
                            ("plan_change", "Plan"),
                            ("rental", "Rental"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("checkout", "Checkout"),
                            ("processing", "Processing"),
                            ("paid", "Paid"),
                            ("failed", "Failed"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "subject_id",
                    models.BigIntegerField(
                        blank=True,
                        help_text="The row of the purpose's own app that this pays for.",
                        null=True,
                    ),
                ),
                (
                    "obligation",
                    models.CharField(
                        blank=True,
                        help_text="What is owed. While one attempt at it is open, no second one is opened.",
                        max_length=100,
                    ),
                ),
                (
                    "request_key",
                    models.CharField(
                        blank=True,
                        help_text="Of the form that asked for it: sent again, it leads to this attempt.",
                        max_length=100,
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
                ("amount", djmoney.models.fields.MoneyField(decimal_places=2, max_digits=12)),
                (
                    "charged_amount_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="OMR",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "charged_amount",
                    djmoney.models.fields.MoneyField(
                        decimal_places=3, default_currency="OMR", max_digits=12
                    ),
                ),
                ("exchange_rate", models.DecimalField(decimal_places=6, max_digits=12)),
                (
                    "tax_rate",
                    models.DecimalField(
                        decimal_places=2,
                        default=0,
                        help_text="Percent, on top of the net amount.",
                        max_digits=5,
                    ),
                ),
                (
                    "tax_amount_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "tax_amount",
                    djmoney.models.fields.MoneyField(
                        decimal_places=2,
                        default=djmoney.money.Money(0, "USD"),
                        help_text="The part of the amount that is tax; it has a line of its own.",
                        max_digits=12,
                    ),
                ),
                (
                    "refunded_amount_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "refunded_amount",
                    djmoney.models.fields.MoneyField(
                        decimal_places=2, default=djmoney.money.Money(0, "USD"), max_digits=12
                    ),
                ),
                (
                    "card",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transactions",
                        to="accounts.card",
                    ),
                ),
                ("card_brand", models.CharField(blank=True, max_length=32)),
                ("card_last4", models.CharField(blank=True, max_length=4)),
                ("stripe_payment_intent_id", models.CharField(blank=True, max_length=255)),
                ("stripe_checkout_session_id", models.CharField(blank=True, max_length=255)),
                ("checkout_url", models.URLField(blank=True, max_length=2000)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("expired_at", models.DateTimeField(blank=True, null=True)),
                (
                    "is_on_session",
                    models.BooleanField(
                        default=False,
                        help_text="The customer was there: their bank may ask them to confirm it.",
                    ),
                ),
                (
                    "confirmable_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="Set while the payment waits at Stripe for the customer to confirm it with their bank; after that it is canceled there.",
                        null=True,
                    ),
                ),
                (
                    "supersedes",
                    models.ForeignKey(
                        blank=True,
                        help_text="The earlier attempt at the same obligation that waited for a confirmation.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="invoices.transaction",
                    ),
                ),
                ("failure_code", models.CharField(blank=True, max_length=64)),
                ("failure_message", models.CharField(blank=True, max_length=500)),
                ("receipt_number", models.CharField(blank=True, max_length=32)),
                (
                    "seller",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Who sold it, as it was when it was paid.",
                    ),
                ),
                (
                    "billed_to",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Who bought it, as it was when it was paid.",
                    ),
                ),
                (
                    "opened_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "asked_at",
                    models.DateTimeField(
                        blank=True, help_text="When Stripe was last asked about it.", null=True
                    ),
                ),
                ("paid_at", models.DateTimeField(blank=True, null=True)),
                ("failed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("export_transactions", "Can export transactions"),
                    ("ask_stripe", "Can ask Stripe at once what became of a payment"),
                    ("retry_transaction", "Can charge again what failed"),
                ],
                "indexes": [
                    models.Index(fields=["account", "-created_at", "-id"], name="billing_history"),
                    models.Index(
                        fields=["account", "purpose", "-created_at", "-id"],
                        name="attempts_by_purpose",
                    ),
                    models.Index(fields=["created_at"], name="transactions_by_time"),
                    models.Index(
                        condition=models.Q(("paid_at__isnull", False)),
                        fields=["paid_at"],
                        name="transactions_by_payment",
                    ),
                    models.Index(
                        condition=models.Q(("failed_at__isnull", False)),
                        fields=["failed_at"],
                        name="transactions_by_failure",
                    ),
                    models.Index(
                        condition=models.Q(("status__in", ("checkout", "processing"))),
                        fields=["created_at"],
                        name="open_transactions",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("card__isnull", True), models.Q(("card_last4", ""), _negated=True)
                        ),
                        fields=["card_last4"],
                        name="transactions_by_last_four",
                    ),
                    models.Index(fields=["status", "-id"], name="transactions_by_status"),
                    models.Index(fields=["purpose", "-id"], name="transactions_by_purpose"),
                    models.Index(
                        condition=models.Q(("confirmable_until__isnull", False)),
                        fields=["account", "confirmable_until"],
                        name="waiting_for_confirmation",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("status__in", ("checkout", "processing")),
                            models.Q(("obligation", ""), _negated=True),
                        ),
                        fields=("account", "obligation"),
                        name="one_open_attempt_per_obligation",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("request_key", ""), _negated=True),
                        fields=("account", "request_key"),
                        name="one_attempt_per_request",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("purpose", "auto_refill"), ("status", "processing")),
                        fields=("account",),
                        name="one_open_refill_per_account",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("stripe_payment_intent_id", ""), _negated=True),
                        fields=("stripe_payment_intent_id",),
                        name="one_transaction_per_payment_intent",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("stripe_checkout_session_id", ""), _negated=True),
                        fields=("stripe_checkout_session_id",),
                        name="one_transaction_per_checkout_session",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("receipt_number", ""), _negated=True),
                        fields=("receipt_number",),
                        name="one_transaction_per_receipt_number",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="transaction_amount_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("charged_amount__gt", 0)),
                        name="transaction_charged_amount_positive",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("tax_amount__gte", 0),
                            ("tax_amount__lt", models.F("amount")),
                            ("tax_rate__gte", 0),
                            ("tax_rate__lte", 100),
                        ),
                        name="tax_is_a_part_of_the_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("refunded_amount__gte", 0),
                            ("refunded_amount__lte", models.F("amount")),
                        ),
                        name="refunds_never_exceed_the_payment",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("paid_at__isnull", False),
                                ("status", "paid"),
                                models.Q(("stripe_payment_intent_id", ""), _negated=True),
                                models.Q(("receipt_number", ""), _negated=True),
                            ),
                            models.Q(
                                models.Q(("status", "paid"), _negated=True),
                                ("paid_at__isnull", True),
                                ("receipt_number", ""),
                            ),
                            _connector="OR",
                        ),
                        name="paid_means_one_captured_payment_and_a_receipt",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "failed"), _negated=True),
                            ("failed_at__isnull", False),
                            _connector="OR",
                        ),
                        name="a_failed_transaction_says_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("confirmable_until__isnull", True),
                            models.Q(
                                ("status__in", ["processing", "failed"]),
                                models.Q(("stripe_payment_intent_id", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="only_an_unpaid_payment_waits_for_confirmation",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SeenPayment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="seen",
                        to="invoices.reconciliationrun",
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="invoices.transaction",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("run", "transaction"), name="a_payment_is_seen_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReconciliationFinding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("payment_repaired", "Paid there and not here: carried out"),
                            ("refunds_repaired", "Refunded there and not here: recorded"),
                            ("disputes_repaired", "Disputed there and not so here: recorded"),
                            ("amount_differs", "Another amount was captured than was asked for"),
                            ("paid_twice", "Captured twice for one transaction"),
                            ("unknown_payment", "Captured for no transaction of ours"),
                            ("another_account", "Captured from another account's customer"),
                            ("hold_captured", "A card's verification hold was captured"),
                            ("not_carried_out", "Paid there, and could not be carried out here"),
                            ("not_paid_there", "Paid here and not there"),
                            ("refunds_differ", "What was refunded differs"),
                        ],
                        max_length=32,
                    ),
                ),
                ("subject", models.CharField(max_length=255)),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reconciliation_findings",
                        to="accounts.account",
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reconciliation_findings",
                        to="invoices.transaction",
                    ),
                ),
                ("detail", models.CharField(max_length=500)),
                (
                    "first_run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="new_findings",
                        to="invoices.reconciliationrun",
                    ),
                ),
                (
                    "last_run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="findings",
                        to="invoices.reconciliationrun",
                    ),
                ),
                ("found_at", models.DateTimeField()),
                ("dealt_with_at", models.DateTimeField(blank=True, null=True)),
                (
                    "dealt_with_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("note", models.TextField(blank=True, help_text="What was done about it.")),
            ],
            options={
                "ordering": ["-found_at", "-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("dealt_with_at__isnull", True)),
                        fields=["last_run"],
                        name="findings_to_deal_with",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "subject"), name="a_difference_is_one_finding"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("dealt_with_at__isnull", True),
                            models.Q(("note", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="a_finding_is_dealt_with_for_a_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Refund",
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
                        related_name="refunds",
                        to="accounts.account",
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refunds",
                        to="invoices.transaction",
                    ),
                ),
                ("number", models.CharField(max_length=32, unique=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                        ],
                        default="pending",
                        max_length=16,
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        choices=[("portal", "Here"), ("stripe", "Stripe's dashboard")],
                        max_length=16,
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
                ("amount", djmoney.models.fields.MoneyField(decimal_places=2, max_digits=12)),
                (
                    "tax_amount_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "tax_amount",
                    djmoney.models.fields.MoneyField(
                        decimal_places=2,
                        default=djmoney.money.Money(0, "USD"),
                        help_text="The part of the amount that is tax.",
                        max_digits=12,
                    ),
                ),
                (
                    "charged_amount_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="OMR",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "charged_amount",
                    djmoney.models.fields.MoneyField(
                        decimal_places=3,
                        default_currency="OMR",
                        help_text="What the card gets.",
                        max_digits=12,
                    ),
                ),
                ("reason", models.CharField(help_text="Why, for colleagues.", max_length=500)),
                (
                    "request_key",
                    models.CharField(
                        blank=True,
                        help_text="Of the form that asked for it: sent again, it leads to this refund.",
                        max_length=100,
                    ),
                ),
                ("stripe_refund_id", models.CharField(blank=True, max_length=255)),
                (
                    "stripe_status",
                    models.CharField(
                        blank=True,
                        help_text="What Stripe last said of it while it was pending.",
                        max_length=32,
                    ),
                ),
                ("failure_message", models.CharField(blank=True, max_length=500)),
                ("credit_note_number", models.CharField(blank=True, max_length=32)),
                (
                    "made_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "limit_of_maker",
                    models.DecimalField(
                        blank=True,
                        decimal_places=2,
                        help_text="Up to what (USD) they refunded alone then.",
                        max_digits=12,
                        null=True,
                    ),
                ),
                (
                    "approved_by",
                    models.ForeignKey(
                        blank=True,
                        help_text="A second person who agreed to it, where one was asked.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approved_refunds",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "asked_at",
                    models.DateTimeField(
                        blank=True, help_text="When Stripe was last asked about it.", null=True
                    ),
                ),
                ("succeeded_at", models.DateTimeField(blank=True, null=True)),
                ("failed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [("export_refunds", "Can export refunds")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "pending")),
                        fields=["created_at"],
                        name="pending_refunds",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("stripe_refund_id", ""), _negated=True),
                        fields=("stripe_refund_id",),
                        name="one_refund_per_stripe_refund",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("request_key", ""), _negated=True),
                        fields=("transaction", "request_key"),
                        name="one_refund_per_request",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("credit_note_number", ""), _negated=True),
                        fields=("credit_note_number",),
                        name="one_refund_per_credit_note_number",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("charged_amount__gt", 0),
                            models.Q(
                                ("amount__gt", 0),
                                models.Q(("amount", 0), ("origin", "stripe")),
                                _connector="OR",
                            ),
                        ),
                        name="a_refund_gives_something_back",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("tax_amount__gte", 0), ("tax_amount__lte", models.F("amount"))
                        ),
                        name="refunded_tax_is_a_part_of_the_refund",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True),
                        name="a_refund_has_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("approved_by__isnull", True),
                            models.Q(
                                ("made_by__isnull", False),
                                models.Q(("approved_by", models.F("made_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="who_approves_a_refund_did_not_make_it",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "succeeded"), _negated=True),
                            models.Q(
                                ("succeeded_at__isnull", False),
                                models.Q(("stripe_refund_id", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="a_succeeded_refund_is_known_to_stripe",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "failed"), _negated=True),
                            ("failed_at__isnull", False),
                            _connector="OR",
                        ),
                        name="a_failed_refund_says_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("credit_note_number", ""),
                            ("succeeded_at__isnull", False),
                            _connector="OR",
                        ),
                        name="a_credit_note_is_of_a_refund_that_succeeded",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Dispute",
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
                        related_name="disputes",
                        to="accounts.account",
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disputes",
                        to="invoices.transaction",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("inquiry", "Inquiry"),
                            ("dismissed", "Inquiry closed"),
                            ("opened", "Opened"),
                            ("under_review", "Under review"),
                            ("lost", "Lost"),
                            ("won", "Won"),
                        ],
                        max_length=16,
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
                ("amount", djmoney.models.fields.MoneyField(decimal_places=2, max_digits=12)),
                (
                    "tax_amount_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "tax_amount",
                    djmoney.models.fields.MoneyField(
                        decimal_places=2,
                        default=djmoney.money.Money(0, "USD"),
                        help_text="The part of the amount that is tax.",
                        max_digits=12,
                    ),
                ),
                (
                    "charged_amount_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="OMR",
                        editable=False,
                        max_length=3,
                    ),
                ),
                (
                    "charged_amount",
                    djmoney.models.fields.MoneyField(
                        decimal_places=3,
                        default_currency="OMR",
                        help_text="As Stripe says it.",
                        max_digits=12,
                    ),
                ),
                (
                    "reason",
                    models.CharField(help_text="The bank's, in Stripe's words.", max_length=64),
                ),
                ("stripe_dispute_id", models.CharField(max_length=255, unique=True)),
                ("stripe_charge_id", models.CharField(max_length=255)),
                ("evidence_due_at", models.DateTimeField(blank=True, null=True)),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "asked_at",
                    models.DateTimeField(help_text="When Stripe last told how it stands."),
                ),
                (
                    "taken_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When it was recorded here that the bank took the money. Books are kept by it.",
                        null=True,
                    ),
                ),
                (
                    "returned_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When it was recorded here that the bank returned it.",
                        null=True,
                    ),
                ),
            ],
            options={
                "ordering": ["-opened_at", "-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=["asked_at"],
                        name="open_disputes",
                    ),
                    models.Index(fields=["stripe_charge_id"], name="disputes_by_charge"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount__gte", 0),
                            ("tax_amount__gte", 0),
                            ("tax_amount__lte", models.F("amount")),
                        ),
                        name="a_dispute_holds_an_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("closed_at__isnull", False),
                                ("status__in", ("dismissed", "lost", "won")),
                            ),
                            models.Q(
                                ("closed_at__isnull", True),
                                models.Q(
                                    ("status__in", ("dismissed", "lost", "won")), _negated=True
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="a_closed_dispute_says_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("returned_at__isnull", True),
                            ("taken_at__isnull", False),
                            _connector="OR",
                        ),
                        name="a_dispute_returns_what_it_took",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PaymentQuestion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("payment_intent_id", models.CharField(max_length=255, unique=True)),
                ("raised_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "transaction",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="invoices.transaction",
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
                ("description", models.CharField(max_length=300)),
                ("quantity", models.DecimalField(decimal_places=6, default=1, max_digits=18)),
                (
                    "unit",
                    models.CharField(
                        blank=True, help_text="Singular: number, seat.", max_length=50
                    ),
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
                    "amount_currency",
                    djmoney.models.fields.CurrencyField(
                        choices=[("OMR", "Omani Rial"), ("USD", "US Dollar")],
                        default="USD",
                        editable=False,
                        max_length=3,
                    ),
                ),
                ("amount", djmoney.models.fields.MoneyField(decimal_places=2, max_digits=12)),
                ("period_start", models.DateTimeField(blank=True, null=True)),
                ("period_end", models.DateTimeField(blank=True, null=True)),
                (
                    "is_tax",
                    models.BooleanField(
                        default=False,
                        help_text="What is added to the net amount of the lines before it.",
                    ),
                ),
            ],
            options={
                "ordering": ["position"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("transaction", "position"), name="lines_are_ordered"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReceiptSequence",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("prefix", models.CharField(max_length=16, unique=True)),
                ("last_number", models.PositiveIntegerField(default=0)),
            ],
        ),
    ]
