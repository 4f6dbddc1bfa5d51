-- What usage refers to, checked for all records of a statement at once (invariant I14): the period is
-- of its account, and its plan version has a price for the feature.

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
