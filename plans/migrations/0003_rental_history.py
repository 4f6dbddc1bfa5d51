"""Who asked for what is held, and the plan's maximum: no more than that is ever begun to be held.

More may be held than a plan allows that came afterwards: it is kept, or some of it is released.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION check_rental_maximum() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed integer;
    before integer;
BEGIN
    IF NEW.started_at IS NULL OR NEW.ended_at IS NOT NULL THEN RETURN NEW; END IF;
    SELECT price.maximum INTO allowed
    FROM plans_subscription AS subscription
    JOIN plans_featureprice AS price ON price.version_id = subscription.plan_version_id
    WHERE subscription.account_id = NEW.account_id
      AND subscription.status IN ('active', 'past_due')
      AND price.feature_id = NEW.feature_id;
    IF allowed IS NULL OR NEW.quantity <= allowed THEN RETURN NEW; END IF;
    SELECT max(quantity) INTO before FROM plans_rental
    WHERE account_id = NEW.account_id AND feature_id = NEW.feature_id
      AND ended_at = NEW.started_at;
    IF NEW.quantity <= before THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'rental of feature % by account %: % is more than the % that the plan allows',
        NEW.feature_id, NEW.account_id, NEW.quantity, allowed USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER rentals_keep_to_the_maximum
    BEFORE INSERT OR UPDATE OF quantity, started_at, ended_at ON plans_rental
    FOR EACH ROW EXECUTE FUNCTION check_rental_maximum();
"""

REVERSE = """
DROP TRIGGER rentals_keep_to_the_maximum ON plans_rental;
DROP FUNCTION check_rental_maximum;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("plans", "0002_integrity"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="rental",
            name="changed_by",
            field=models.ForeignKey(
                blank=True,
                help_text="Who asked for this quantity, when it was a person.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="rental",
            name="reason",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="rental",
            name="via",
            field=models.CharField(
                blank=True,
                choices=[
                    ("dashboard", "Dashboard"),
                    ("admin", "Support"),
                    ("api", "Platform"),
                    ("renewal", "Release at renewal"),
                ],
                max_length=16,
            ),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
