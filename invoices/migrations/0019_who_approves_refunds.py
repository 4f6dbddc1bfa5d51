"""Beyond what its maker refunds alone, a refund carries who approved it (invariant I15)."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION check_refund_limit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'refund %: who made and who approved it is fixed when it is opened',
            OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.origin = 'portal' AND NEW.approved_by_id IS NULL
       AND NEW.amount > coalesce(NEW.limit_of_maker, 0) THEN
        RAISE EXCEPTION 'refund % of % USD is beyond the limit of who made it, and nobody approved',
            NEW.number, NEW.amount USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refunds_beyond_a_limit_are_approved BEFORE INSERT ON invoices_refund
    FOR EACH ROW EXECUTE FUNCTION check_refund_limit();
CREATE TRIGGER who_approved_a_refund_is_fixed BEFORE UPDATE ON invoices_refund
    FOR EACH ROW WHEN ((OLD.made_by_id, OLD.approved_by_id, OLD.limit_of_maker)
                       IS DISTINCT FROM (NEW.made_by_id, NEW.approved_by_id, NEW.limit_of_maker))
    EXECUTE FUNCTION check_refund_limit();
"""
REVERSE = """
DROP TRIGGER who_approved_a_refund_is_fixed ON invoices_refund;
DROP TRIGGER refunds_beyond_a_limit_are_approved ON invoices_refund;
DROP FUNCTION check_refund_limit;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("invoices", "0018_search"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="refund",
            name="limit_of_maker",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="Up to what (USD) they refunded alone then.",
                max_digits=12,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="refund",
            name="approved_by",
            field=models.ForeignKey(
                blank=True,
                help_text="A second person who agreed to it, where one was asked.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="approved_refunds",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
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
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
