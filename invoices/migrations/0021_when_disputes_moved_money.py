"""When a bank took the money of a dispute, and when it returned it: what books are kept by.

What is recorded of a dispute says when Stripe says it was opened, and that may be days before the
portal was told. The audit trail has when it was recorded, and gives it to those there are.
"""

from django.db import migrations, models
from django.db.models import Q

FORWARD = """
UPDATE invoices_dispute AS dispute SET taken_at = told.taken_at, returned_at = told.returned_at
FROM (
    SELECT details ->> 'dispute' AS id,
           min(created_at) FILTER (WHERE action <> 'dispute_won') AS taken_at,
           min(created_at) FILTER (WHERE action = 'dispute_won') AS returned_at
    FROM accounts_auditevent
    WHERE action IN ('dispute_opened', 'dispute_under_review', 'dispute_lost', 'dispute_won')
    GROUP BY details ->> 'dispute'
) AS told
WHERE told.id = dispute.stripe_dispute_id AND told.taken_at IS NOT NULL;

CREATE TRIGGER disputes_keep_when_money_moved BEFORE UPDATE ON invoices_dispute FOR EACH ROW
    WHEN (OLD.taken_at IS NOT NULL AND NEW.taken_at IS DISTINCT FROM OLD.taken_at
          OR OLD.returned_at IS NOT NULL AND NEW.returned_at IS DISTINCT FROM OLD.returned_at)
    EXECUTE FUNCTION refuse_change();
"""

REVERSE = "DROP TRIGGER disputes_keep_when_money_moved ON invoices_dispute"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("invoices", "0020_export_permissions"),
    ]

    operations = [
        migrations.AddField(
            model_name="dispute",
            name="taken_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When it was recorded here that the bank took the money. "
                "Books are kept by it.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="dispute",
            name="returned_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When it was recorded here that the bank returned it.",
                null=True,
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.CheckConstraint(
                condition=Q(
                    ("returned_at__isnull", True), ("taken_at__isnull", False), _connector="OR"
                ),
                name="a_dispute_returns_what_it_took",
            ),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
