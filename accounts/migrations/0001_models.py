"""The tables of people, keys, cards and records, as the models describe them.

It replaces the first and the last of the migrations that were here before, so that a database that
has only some of them is told apart: see `check_migrations` in billing_portal/checks.py.
"""

import uuid
from pathlib import Path

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
import django_countries.fields
import timezone_field.fields
from django.conf import settings
from django.db import migrations, models

import accounts.partial_match
import accounts.user_models

_SQL = Path(__file__).resolve().parent.parent / "sql"
# Indexes are made of it.
TRIGRAMS = (_SQL / "search.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    replaces = [
        ("accounts", name)
        for name in (
            "0001_initial",
            "0003_country",
            "0004_card_attempts",
            "0005_message_without_an_account",
            "0006_delivery_log",
            "0008_api_key_scopes",
            "0009_idempotent_requests",
            "0010_keys_of_customers",
            "0011_languages",
            "0012_members_and_invitations",
            "0013_copies_of_receipts",
            "0014_spend_cap",
            "0015_search",
            "0016_staff_permissions",
            "0017_staff_actions",
            "0018_one_key_for_a_form",
            "0019_stripe_keys_kept_out",
            "0020_secrets_encrypted",
        )
    ]
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunSQL(TRIGRAMS),
        migrations.CreateModel(
            name="Account",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "external_id",
                    models.CharField(
                        blank=True,
                        help_text="The platform's own id of this customer.",
                        max_length=200,
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("owner_email", models.EmailField(max_length=254)),
                ("timezone", timezone_field.fields.TimeZoneField(default="UTC")),
                (
                    "language",
                    models.CharField(
                        blank=True,
                        choices=[("en", "English"), ("ar", "العربية")],
                        help_text="Of e-mails, where the owner has chosen none.",
                        max_length=8,
                    ),
                ),
                (
                    "pause_reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("negative_balance", "The balance is below zero"),
                                ("subscription_unpaid", "The subscription is unpaid"),
                                ("spend_cap", "The spend cap is reached"),
                                ("locked", "Locked by support"),
                            ],
                            max_length=32,
                        ),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                ("lock_note", models.TextField(blank=True)),
                ("stripe_customer_id", models.CharField(blank=True, max_length=255)),
                ("billing_name", models.CharField(blank=True, max_length=200)),
                ("address_line1", models.CharField(blank=True, max_length=200)),
                ("address_line2", models.CharField(blank=True, max_length=200)),
                ("city", models.CharField(blank=True, max_length=100)),
                (
                    "country",
                    django_countries.fields.CountryField(
                        blank=True,
                        help_text="It decides which tax is added to prices.",
                        max_length=2,
                    ),
                ),
                ("tax_number", models.CharField(blank=True, max_length=50)),
                ("receipt_email", models.EmailField(blank=True, max_length=254)),
                (
                    "receipt_copies",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.EmailField(max_length=254),
                        blank=True,
                        default=list,
                        help_text="Who gets receipts and credit notes, too: addresses with commas between them.",
                        size=None,
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["name", "id"],
                "permissions": [
                    ("add_note", "Can note something about an account for colleagues"),
                    ("lock_services", "Can lock services and unlock them"),
                    ("view_as_customer", "Can view the dashboard as a customer sees it"),
                ],
                "indexes": [
                    models.Index(fields=["-created_at", "-id"], name="accounts_by_age"),
                    models.Index(
                        django.db.models.functions.text.Upper("owner_email"),
                        name="accounts_by_owner_email",
                    ),
                    models.Index(fields=["name", "id"], name="accounts_by_name"),
                    django.contrib.postgres.indexes.GinIndex(
                        accounts.partial_match.Trigrams("name"), name="accounts_by_part_of_name"
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        accounts.partial_match.Trigrams("owner_email"),
                        name="accounts_by_part_of_email",
                    ),
                    models.Index(
                        django.contrib.postgres.indexes.OpClass(
                            django.db.models.functions.text.Upper("name"), name="text_pattern_ops"
                        ),
                        name="accounts_by_start_of_name",
                    ),
                    models.Index(
                        condition=models.Q(("pause_reasons", []), _negated=True),
                        fields=["-created_at", "-id"],
                        name="paused_accounts_by_age",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("external_id", ""), _negated=True),
                        fields=("external_id",),
                        name="one_account_per_external_id",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("stripe_customer_id", ""), _negated=True),
                        fields=("stripe_customer_id",),
                        name="one_account_per_stripe_customer",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "pause_reasons__contained_by",
                                ["negative_balance", "subscription_unpaid", "spend_cap", "locked"],
                            )
                        ),
                        name="pause_reasons_are_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("receipt_copies__len__lte", 5)),
                        name="receipts_have_so_many_copies",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
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
                        blank=True,
                        help_text="Of a customer: all it may do is read this account. None: the platform's.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_keys",
                        to="accounts.account",
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("prefix", models.CharField(max_length=16, unique=True)),
                ("secret_hash", models.CharField(max_length=64, unique=True)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("usage:write", "Report usage"),
                                ("accounts:read", "Read accounts and ask whether a call may start"),
                                ("accounts:write", "Provision and change accounts"),
                                ("rentals:write", "Take and release rentals, which charges cards"),
                            ],
                            max_length=32,
                        ),
                        size=None,
                    ),
                ),
                (
                    "requests_per_minute",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Of each kind of call; nothing: the portal's general limits.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                (
                    "request_key",
                    models.CharField(
                        blank=True,
                        editable=False,
                        help_text="Of the form that made it.",
                        max_length=64,
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "scopes__contained_by",
                                ["usage:write", "accounts:read", "accounts:write", "rentals:write"],
                            ),
                            models.Q(("scopes", []), _negated=True),
                        ),
                        name="a_key_has_scopes_that_are_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("requests_per_minute__isnull", True),
                            ("requests_per_minute__gte", 1),
                            _connector="OR",
                        ),
                        name="a_key_may_ask_at_least_once_a_minute",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("expires_at__isnull", True),
                            ("expires_at__gt", models.F("created_at")),
                            _connector="OR",
                        ),
                        name="a_key_expires_after_it_was_made",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("account__isnull", True),
                            ("scopes", ["accounts:read"]),
                            _connector="OR",
                        ),
                        name="a_customers_key_only_reads",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("request_key", ""), _negated=True),
                        fields=("account", "request_key"),
                        name="one_key_for_a_form",
                    ),
                ],
            },
        ),
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
                    "api_key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="requests",
                        to="accounts.apikey",
                    ),
                ),
                ("target", models.CharField(help_text="What it makes or changes.", max_length=200)),
                ("idempotency_key", models.CharField(max_length=255)),
                (
                    "fingerprint",
                    models.CharField(help_text="The SHA-256 of what was asked for.", max_length=64),
                ),
                ("claimed_until", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("status", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("body", models.TextField(blank=True)),
            ],
            options={
                "indexes": [models.Index(fields=["created_at"], name="idempotent_requests_by_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("api_key", "target", "idempotency_key"),
                        name="one_answer_per_idempotency_key",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("body", ""), ("status__isnull", True)),
                            ("status__range", (200, 299)),
                            _connector="OR",
                        ),
                        name="only_success_is_answered_again",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                (
                    "last_login",
                    models.DateTimeField(blank=True, null=True, verbose_name="last login"),
                ),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "first_name",
                    models.CharField(blank=True, max_length=150, verbose_name="first name"),
                ),
                (
                    "last_name",
                    models.CharField(blank=True, max_length=150, verbose_name="last name"),
                ),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                (
                    "date_joined",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="date joined"
                    ),
                ),
                (
                    "email",
                    models.EmailField(max_length=254, unique=True, verbose_name="e-mail address"),
                ),
                (
                    "language",
                    models.CharField(
                        blank=True,
                        choices=[("en", "English"), ("ar", "العربية")],
                        help_text="None: as the browser asks.",
                        max_length=8,
                    ),
                ),
                (
                    "session_generation",
                    models.PositiveIntegerField(
                        default=0, editable=False, help_text="Raised to end all sessions."
                    ),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("end_sessions", "Can sign a person out everywhere"),
                    ("manage_staff", "Can let colleagues in and give them their role"),
                    (
                        "remove_second_factor",
                        "Can take away a second factor that somebody has lost",
                    ),
                ],
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        accounts.partial_match.Trigrams("email"), name="users_by_part_of_email"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("email"),
                        name="one_user_per_email_whatever_its_case",
                    )
                ],
            },
            managers=[
                ("objects", accounts.user_models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitations",
                        to="accounts.account",
                    ),
                ),
                ("email", models.EmailField(max_length=254)),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "Owner"), ("billing", "Billing"), ("viewer", "Viewer")],
                        max_length=16,
                    ),
                ),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                (
                    "invited_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(help_text="When the newest link was made.")),
                ("times_sent", models.PositiveSmallIntegerField(default=1)),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "accepted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [
                    models.Index(fields=["account", "-created_at"], name="invitations_of_account")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("account"),
                        django.db.models.functions.text.Lower("email"),
                        condition=models.Q(
                            ("accepted_at__isnull", True), ("revoked_at__isnull", True)
                        ),
                        name="one_open_invitation_per_address",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["owner", "billing", "viewer"])),
                        name="an_invitation_has_a_known_role",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("accepted_at__isnull", True),
                            ("revoked_at__isnull", True),
                            _connector="OR",
                        ),
                        name="an_invitation_ends_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("sent_at"))),
                        name="an_invitation_lasts_a_while",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Message",
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
                        blank=True,
                        help_text="Whom it is about; none for what staff are told of the whole.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="accounts.account",
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        choices=[("email", "E-mail"), ("platform", "Platform webhook")],
                        max_length=16,
                    ),
                ),
                ("event", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=200)),
                ("recipient", models.CharField(blank=True, max_length=254)),
                ("payload", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField()),
                ("next_attempt_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("last_error", models.TextField(blank=True)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [
                    models.Index(
                        models.F("next_attempt_at"),
                        condition=models.Q(("sent_at__isnull", True)),
                        name="messages_to_send",
                    ),
                    models.Index(
                        fields=["account", "channel", "-created_at", "-id"],
                        name="messages_of_account",
                    ),
                    models.Index(fields=["event", "-id"], name="messages_by_event"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("channel", "key"), name="one_message_per_cause"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("account__isnull", False),
                            models.Q(
                                ("channel", "email"), models.Q(("recipient", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="a_message_is_about_an_account_or_to_somebody",
                    ),
                ],
            },
        ),
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
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="delivery_attempts",
                        to="accounts.message",
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
            ],
            options={
                "ordering": ["-started_at", "-id"],
                "indexes": [
                    models.Index(fields=["message", "-started_at"], name="attempts_of_message"),
                    models.Index(fields=["started_at"], name="attempts_by_age"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Membership",
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="accounts.account",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "Owner"), ("billing", "Billing"), ("viewer", "Viewer")],
                        max_length=16,
                    ),
                ),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "user"), name="one_role_per_member"),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["owner", "billing", "viewer"])),
                        name="a_member_has_a_known_role",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Card",
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
                        related_name="cards",
                        to="accounts.account",
                    ),
                ),
                ("stripe_payment_method_id", models.CharField(max_length=255, unique=True)),
                ("stripe_setup_intent_id", models.CharField(max_length=255, unique=True)),
                ("brand", models.CharField(max_length=32)),
                ("last4", models.CharField(max_length=4)),
                ("exp_month", models.PositiveSmallIntegerField()),
                ("exp_year", models.PositiveSmallIntegerField()),
                ("fingerprint", models.CharField(blank=True, max_length=64)),
                ("holder_name", models.CharField(blank=True, max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("verifying", "Verifying"),
                            ("verified", "Verified"),
                            ("rejected", "Rejected"),
                            ("removed", "Removed"),
                        ],
                        default="verifying",
                        max_length=16,
                    ),
                ),
                ("is_default", models.BooleanField(default=False)),
                ("rejection_message", models.CharField(blank=True, max_length=500)),
                (
                    "stripe_hold_id",
                    models.CharField(
                        blank=True, help_text="The PaymentIntent of the $1 hold.", max_length=255
                    ),
                ),
                ("hold_voided_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                (
                    "updated_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the bank last changed its number or expiry.",
                        null=True,
                    ),
                ),
                ("removed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-is_default", "-created_at"],
                "indexes": [
                    models.Index(fields=["last4"], name="cards_by_last_four"),
                    models.Index(
                        condition=models.Q(("stripe_hold_id", ""), _negated=True),
                        fields=["stripe_hold_id"],
                        name="cards_by_hold",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_default", True)),
                        fields=("account",),
                        name="one_default_card_per_account",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("is_default", False), ("status", "verified"), _connector="OR"
                        ),
                        name="the_default_card_is_verified",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "verified"), _negated=True),
                            ("hold_voided_at__isnull", False),
                            _connector="OR",
                        ),
                        name="a_verified_card_has_its_hold_voided",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CardAttempt",
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
                        related_name="card_attempts",
                        to="accounts.account",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ip_address",
                    models.GenericIPAddressField(blank=True, null=True, verbose_name="IP address"),
                ),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("begun", "Begun"),
                            ("refused", "Refused: too many"),
                            ("declined", "Declined by the bank"),
                            ("added", "Added"),
                            ("rejected", "Rejected"),
                        ],
                        default="begun",
                        max_length=16,
                    ),
                ),
                ("tries", models.PositiveIntegerField(default=1)),
                ("failure_code", models.CharField(blank=True, max_length=64)),
                ("stripe_setup_intent_id", models.CharField(blank=True, max_length=255)),
                ("created_at", models.DateTimeField()),
                (
                    "closed_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When its SetupIntent was canceled: too many tries.",
                        null=True,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [
                    models.Index(
                        fields=["account", "-created_at"], name="card_attempts_of_account"
                    ),
                    models.Index(fields=["user", "-created_at"], name="card_attempts_of_user"),
                    models.Index(
                        fields=["ip_address", "-created_at"], name="card_attempts_of_address"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("stripe_setup_intent_id", ""), _negated=True),
                        fields=("stripe_setup_intent_id",),
                        name="one_attempt_per_setup_intent",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("tries__gte", 1)), name="an_attempt_is_a_try"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEvent",
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
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="audit_events",
                        to="accounts.account",
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("action", models.CharField(max_length=64)),
                ("reason", models.TextField(blank=True)),
                ("details", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [
                    models.Index(fields=["account", "-created_at"], name="audit_events_of_account"),
                    models.Index(fields=["action", "-id"], name="audit_events_by_action"),
                    django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True, fields=["created_at"], name="audit_events_by_time"
                    ),
                ],
            },
        ),
    ]
