-- Rates one usage record as `record_usage` rates a batch of one, in a handful of small statements:
-- starting the large plan of a batch takes several times as long as rating one record.
--
-- The wallet is locked first; every later statement has a snapshot of its own (see record_usage).
-- Answers with what `record_usage` answers with.
CREATE FUNCTION record_one_usage(
    rated_at timestamptz,
    oldest timestamptz,
    newest timestamptz,
    account uuid,
    external text,
    feature_key text,
    id_sent text,
    quantity_sent numeric,
    moment timestamptz,
    workspace_sent text,
    source_sent text,
    description_sent text,
    OUT to_open text,
    OUT too_much boolean,
    OUT codes text,
    OUT figures text,
    OUT crossed text,
    OUT to_refill text
)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    biggest CONSTANT numeric := 999999999999.999999;  -- numeric(18, 6)
    of_account uuid := account;
    of_wallet bigint;
    balance_before numeric;
    balance_after numeric;
    sequence_before bigint;
    low_limit numeric;
    is_paused boolean;
    has_begun boolean;
    of_feature bigint;
    feature_name text;
    feature_kind text;
    first plans_usagerecord;
    period record;
    of_version bigint;
    price record;
    above numeric[];
    discounts numeric[];
    allowance plans_allowance;
    included_before numeric;
    billed_before numeric;
    drawn numeric;
    billed numeric;
    charge numeric;
    has_allowance boolean;
BEGIN
    too_much := false;
    IF external IS NOT NULL THEN
        SELECT id INTO of_account FROM accounts_account
        WHERE external_id = external AND external_id <> '';
    END IF;
    SELECT id, balance, last_sequence, low_balance_limit
    INTO of_wallet, balance_before, sequence_before, low_limit
    FROM wallet_wallet WHERE account_id = of_account FOR NO KEY UPDATE;
    SELECT 'negative_balance' = ANY (pause_reasons) INTO is_paused
    FROM accounts_account WHERE id = of_account;
    IF NOT FOUND THEN
        codes := 'a';
        RETURN;
    END IF;
    IF of_wallet IS NOT NULL THEN
        PERFORM FROM plans_subscription
        WHERE account_id = of_account AND status IN ('active', 'past_due')
          AND current_period_end <= rated_at;
        IF FOUND THEN
            to_open := of_account;
            RETURN;
        END IF;
    END IF;
    SELECT id, name, kind INTO of_feature, feature_name, feature_kind
    FROM plans_feature WHERE key = feature_key;
    IF NOT FOUND THEN
        codes := 'f';
        RETURN;
    END IF;
    IF of_wallet IS NOT NULL THEN
        SELECT * INTO first FROM plans_usagerecord
        WHERE account_id = of_account AND record_id = id_sent;
        IF FOUND THEN
            codes := CASE WHEN first.feature_id = of_feature AND first.quantity = quantity_sent
                               AND first.occurred_at = moment AND first.workspace = workspace_sent
                               AND first.source = source_sent
                               AND first.description = description_sent
                          THEN 'd' ELSE 'c' END;
            figures := first.included_quantity || ' ' || first.billed_quantity || ' '
                       || first.amount;
            RETURN;
        END IF;
    END IF;
    IF moment < oldest OR moment > newest THEN
        codes := CASE WHEN moment < oldest THEN 'o' ELSE 'u' END;
        RETURN;
    END IF;

    -- The part it belongs to is the last one that had begun: each ends where the next begins.
    IF of_wallet IS NOT NULL THEN
        SELECT renewal.id, renewal.period_start, renewal.period_end, renewal.plan_version_id,
               subscription.anchor, subscription.ended_at,
               subscription.status IN ('active', 'past_due') AS is_current
        INTO period
        FROM plans_renewal AS renewal
        JOIN plans_subscription AS subscription
          ON subscription.id = renewal.subscription_id
         AND subscription.account_id = renewal.account_id
        WHERE renewal.account_id = of_account AND renewal.period_start <= moment
          AND renewal.period_end > oldest AND renewal.period_start > oldest - interval '32 days'
        ORDER BY renewal.period_start DESC, renewal.id DESC LIMIT 1;
        IF NOT FOUND OR moment < period.anchor THEN
            -- Before the account's first period counts as in it.
            SELECT renewal.id, renewal.period_start, renewal.period_end, renewal.plan_version_id,
                   subscription.anchor, subscription.ended_at,
                   subscription.status IN ('active', 'past_due') AS is_current
            INTO period
            FROM plans_renewal AS renewal
            JOIN plans_subscription AS subscription
              ON subscription.id = renewal.subscription_id
             AND subscription.account_id = renewal.account_id
            WHERE renewal.account_id = of_account
            ORDER BY renewal.period_start, renewal.id LIMIT 1;
            IF moment >= greatest(period.period_start, period.anchor)
               OR period.period_end <= oldest THEN
                period.id := NULL;
            END IF;
        END IF;
    END IF;
    IF of_wallet IS NULL OR period.id IS NULL THEN
        codes := 's';
        RETURN;
    END IF;
    SELECT to_version_id INTO of_version FROM plans_planchange
    WHERE account_id = of_account AND renewal_id = period.id AND effective_at <= moment
    ORDER BY effective_at DESC, id DESC LIMIT 1;
    of_version := coalesce(of_version, period.plan_version_id);
    IF period.ended_at IS NOT NULL THEN
        IF moment >= period.ended_at THEN
            codes := 's';
        END IF;
    ELSIF moment >= period.period_end THEN
        PERFORM FROM plans_planchange
        WHERE account_id = of_account AND renewal_id = period.id AND effective_at > moment;
        IF NOT FOUND THEN
            PERFORM FROM plans_renewal
            WHERE account_id = of_account
              AND (period_start, id) > (period.period_start, period.id);
            IF FOUND OR NOT period.is_current THEN
                codes := 's';
            END IF;
        END IF;
    END IF;
    IF codes IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT id, unit_price::numeric AS unit_price INTO price FROM plans_featureprice
    WHERE version_id = of_version AND feature_id = of_feature;
    IF NOT FOUND OR feature_kind <> 'consumable' THEN
        codes := 'm';
        RETURN;
    END IF;
    SELECT coalesce(array_agg(above_quantity ORDER BY above_quantity), '{}'),
           coalesce(array_agg(discount_percent ORDER BY above_quantity), '{}')
    INTO above, discounts FROM plans_pricetier WHERE price_id = price.id;

    SELECT * INTO allowance FROM plans_allowance
    WHERE account_id = of_account AND renewal_id = period.id AND feature_id = of_feature;
    has_allowance := coalesce(allowance.included, 0) > 0;
    included_before := greatest(coalesce(allowance.included - allowance.used, 0.000000), 0.000000);
    billed_before := coalesce(allowance.billed_quantity, 0.000000);
    -- With six decimals, as all that comes of it: figures are answered as they are.
    drawn := least(quantity_sent + 0.000000, included_before);
    billed := greatest(quantity_sent - included_before, 0.000000);
    charge := price_of_units(billed, billed_before, price.unit_price, above, discounts);
    balance_after := balance_before - charge;
    codes := 'r';
    figures := drawn || ' ' || billed || ' ' || charge;
    IF balance_after < -biggest OR billed_before + billed > biggest THEN
        codes := 'q';
        RETURN;
    END IF;

    INSERT INTO plans_usagerecord (
        account_id, record_id, feature_id, renewal_id, plan_version_id, quantity,
        included_quantity, billed_quantity, unit_price, amount, included_before,
        billed_before, balance_before, balance_after, occurred_at, recorded_at, workspace,
        source, description)
    VALUES (
        of_account, id_sent, of_feature, period.id, of_version, quantity_sent, drawn, billed,
        price.unit_price, charge, included_before, billed_before, balance_before, balance_after,
        moment, rated_at, workspace_sent, source_sent, description_sent);
    IF allowance.id IS NULL THEN
        -- Not paid for yet: nothing is included.
        INSERT INTO plans_allowance (
            account_id, renewal_id, feature_id, included, used, billed_quantity)
        VALUES (of_account, period.id, of_feature, 0, 0, billed);
    ELSIF quantity_sent <> 0 THEN
        UPDATE plans_allowance
        SET used = used + drawn, billed_quantity = billed_quantity + billed
        WHERE account_id = of_account AND id = allowance.id;
    END IF;
    IF charge = 0 THEN
        RETURN;
    END IF;
    INSERT INTO wallet_entry (
        account_id, wallet_id, sequence, kind, amount, balance_after, description, usage_id,
        created_at)
    VALUES (
        of_account, of_wallet, sequence_before + 1, 'usage', -charge, balance_after,
        described_charge(feature_name, billed, billed_before, has_allowance, price.unit_price,
                         above, discounts),
        id_sent, rated_at);
    IF balance_after < 0 AND (balance_before >= 0 OR NOT is_paused)
       OR balance_after > 0 AND is_paused
       OR balance_after < low_limit AND low_limit <= balance_before THEN
        crossed := of_account || ' ' || balance_before;
    END IF;
    PERFORM FROM wallet_autorefill
    WHERE wallet_id = of_wallet AND enabled AND suspended_at IS NULL
      AND threshold > balance_after;
    IF FOUND THEN
        to_refill := of_account;
    END IF;
END $$;
