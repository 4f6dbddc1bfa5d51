"""Each record of usage is checked by two look-ups, and what is in force is looked up once for a batch.

Sorting out which records are of the same period and price took as long as looking them all up, and
for a single record four times as long.
"""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent.parent / "sql"
BATCH = (_SQL / "record_usage.sql").read_text(encoding="utf-8")
CHECK = """
CREATE OR REPLACE FUNCTION check_usage() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
BEGIN
    PERFORM FROM new_records AS used
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
"""


class Migration(migrations.Migration):
    dependencies = [("plans", "0024_usage_free_of_charge")]
    operations = [migrations.RunSQL([CHECK, BATCH], migrations.RunSQL.noop)]
