"""Usage is rated by a function of the database; its references are checked for a whole batch.

A record is compared with what is stored column by column, so it needs no hash of its content (I8).
What it refers to is checked for all records of a statement at once, not by a foreign key for each
row: the period is of its account (I14), and its plan version has a price for the feature. None of
these can be deleted or moved to another account.
"""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

_SQL = Path(__file__).resolve().parent.parent / "sql"
FUNCTIONS = "".join(
    (_SQL / name).read_text(encoding="utf-8") for name in ("rating_rules.sql", "record_usage.sql")
)

NO_FUNCTIONS = """
DROP FUNCTION record_usage;
DROP FUNCTION described_charge;
DROP FUNCTION written_price;
DROP FUNCTION written_quantity;
DROP FUNCTION price_of_units;
DROP FUNCTION full_price_units;
"""

GUARD = """
CREATE TRIGGER renewals_are_never_deleted BEFORE DELETE ON plans_renewal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER renewals_keep_their_account BEFORE UPDATE ON plans_renewal FOR EACH ROW
    WHEN (OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id) EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_usage() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
BEGIN
    PERFORM FROM (
        SELECT DISTINCT account_id, renewal_id, plan_version_id, feature_id FROM new_records
    ) AS used
    LEFT JOIN LATERAL (
        SELECT true AS is_there FROM plans_renewal AS renewal
        WHERE renewal.id = used.renewal_id AND renewal.account_id = used.account_id LIMIT 1
    ) AS renewal ON true
    LEFT JOIN LATERAL (
        SELECT true AS is_there FROM plans_featureprice AS price
        WHERE price.version_id = used.plan_version_id AND price.feature_id = used.feature_id LIMIT 1
    ) AS price ON true
    WHERE renewal.is_there IS NULL OR price.is_there IS NULL;
    IF FOUND THEN
        RAISE EXCEPTION 'usage is rated in a period of its own account, by a price of its plan'
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER usage_is_of_its_own_period AFTER INSERT ON plans_usagerecord
    REFERENCING NEW TABLE AS new_records
    FOR EACH STATEMENT EXECUTE FUNCTION check_usage();

-- Room for a new version of an allowance on its page: then no index has to know of it.
ALTER TABLE plans_allowance SET (fillfactor = 50);
"""

NO_GUARD = """
ALTER TABLE plans_allowance RESET (fillfactor);
DROP TRIGGER usage_is_of_its_own_period ON plans_usagerecord;
DROP FUNCTION check_usage;
DROP TRIGGER renewals_keep_their_account ON plans_renewal;
DROP TRIGGER renewals_are_never_deleted ON plans_renewal;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_idempotent_requests"),
        ("plans", "0011_fewer_indexes"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="usagerecord",
            name="content_hash",
        ),
        migrations.AlterField(
            model_name="usagerecord",
            name="account",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="usage_records",
                to="accounts.account",
            ),
        ),
        migrations.AlterField(
            model_name="usagerecord",
            name="feature",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="usage_records",
                to="plans.feature",
            ),
        ),
        migrations.AlterField(
            model_name="usagerecord",
            name="plan_version",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="usage_records",
                to="plans.planversion",
            ),
        ),
        migrations.AlterField(
            model_name="usagerecord",
            name="renewal",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="usage_records",
                to="plans.renewal",
            ),
        ),
        migrations.RunSQL(FUNCTIONS, NO_FUNCTIONS),
        migrations.RunSQL(GUARD, NO_GUARD),
    ]
