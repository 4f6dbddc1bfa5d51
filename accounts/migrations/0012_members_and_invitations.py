"""Invitations to an account, and the last owner, whom nobody can take from it."""

import uuid

import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

FORWARD = """
-- Asked with the account locked: of two who take the last two owners, the second one waits and fails.
CREATE FUNCTION the_last_owner_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM accounts_account WHERE id = OLD.account_id FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT 1 FROM accounts_membership WHERE account_id = OLD.account_id AND role = 'owner'
    ) THEN
        RAISE EXCEPTION 'the last owner of account % stays', OLD.account_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'the_last_owner_stays';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER the_last_owner_stays
    AFTER UPDATE OF role, account_id ON accounts_membership
    FOR EACH ROW WHEN (
        OLD.role = 'owner' AND (NEW.role <> 'owner' OR NEW.account_id <> OLD.account_id)
    )
    EXECUTE FUNCTION the_last_owner_stays();
CREATE TRIGGER the_last_owner_is_not_removed
    AFTER DELETE ON accounts_membership
    FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION the_last_owner_stays();
"""

REVERSE = """
DROP TRIGGER the_last_owner_is_not_removed ON accounts_membership;
DROP TRIGGER the_last_owner_stays ON accounts_membership;
DROP FUNCTION the_last_owner_stays;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_languages"),
    ]

    operations = [
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
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
                ("created_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(help_text="When the newest link was made.")),
                ("times_sent", models.PositiveSmallIntegerField(default=1)),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["owner", "billing", "viewer"])),
                name="a_member_has_a_known_role",
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="accepted_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="invitations",
                to="accounts.account",
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="invited_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="invitation",
            index=models.Index(fields=["account", "-created_at"], name="invitations_of_account"),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.UniqueConstraint(
                models.F("account"),
                django.db.models.functions.text.Lower("email"),
                condition=models.Q(("accepted_at__isnull", True), ("revoked_at__isnull", True)),
                name="one_open_invitation_per_address",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["owner", "billing", "viewer"])),
                name="an_invitation_has_a_known_role",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("accepted_at__isnull", True), ("revoked_at__isnull", True), _connector="OR"
                ),
                name="an_invitation_ends_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(("expires_at__gt", models.F("sent_at"))),
                name="an_invitation_lasts_a_while",
            ),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
