-- Rates one usage record as `record_usage` rates a batch of one, in a handful of small statements:
-- starting the large plan of a batch takes several times as long as rating one record.
--
-- The wallet is locked first; every later statement has a snapshot of its own (see record_usage).
-- Answers with what `record_usage` answers with. What a new balance may bring about belongs in the
-- same transaction. A caller that is in none (`is_alone`: the call commits by itself, which saves
-- two round trips) is told to come back in one, by `crossed` without `codes`; nothing is written.
CREATE OR REPLACE FUNCTION record_one_usage(
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
    is_alone boolean,
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
    -- Balances at which usage is near the spend cap, and has reached it.
    near_cap numeric;
    cap numeric;
    facts record;
    first plans_usagerecord;
    period record;
    price record;
    included_before numeric;
    billed_before numeric;
    drawn numeric;
    billed numeric;
    charge numeric;
    charged_for text;
    allowance record;
BEGIN
    too_much := false;
    IF external IS NOT NULL THEN
        SELECT id INTO of_account FROM accounts_account
        WHERE external_id = external AND external_id <> '';
    END IF;
    SELECT id, balance, last_sequence, low_balance_limit, unspent_balance - spend_cap * 0.8,
           unspent_balance - spend_cap
    INTO of_wallet, balance_before, sequence_before, low_limit, near_cap, cap
    FROM wallet_wallet WHERE account_id = of_account FOR NO KEY UPDATE;
    SELECT 'negative_balance' = ANY (pause_reasons) AS is_paused,
           feature.id AS feature_id, feature.name AS feature_name, feature.kind AS feature_kind,
           EXISTS (
               SELECT FROM plans_subscription AS subscription
               WHERE subscription.account_id = account.id
                 AND subscription.status IN ('active', 'past_due')
                 AND subscription.current_period_end <= rated_at) AS is_to_open,
           (SELECT refill.threshold FROM wallet_autorefill AS refill
            WHERE refill.wallet_id = of_wallet AND refill.enabled
              AND refill.suspended_at IS NULL) AS refill_below
    INTO facts
    FROM accounts_account AS account LEFT JOIN plans_feature AS feature ON feature.key = feature_key
    WHERE account.id = of_account;
    IF NOT FOUND THEN
        codes := 'a';
        RETURN;
    END IF;
    IF of_wallet IS NOT NULL AND facts.is_to_open THEN
        to_open := of_account;
        RETURN;
    END IF;
    IF facts.feature_id IS NULL THEN
        codes := 'f';
        RETURN;
    END IF;
    IF of_wallet IS NOT NULL THEN
        SELECT * INTO first FROM plans_usagerecord
        WHERE account_id = of_account AND record_id = id_sent;
        IF FOUND THEN
            codes := CASE WHEN first.feature_id = facts.feature_id
                               AND first.quantity = quantity_sent AND first.occurred_at = moment
                               AND first.workspace = workspace_sent
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
               subscription.status IN ('active', 'past_due') AS is_current,
               (SELECT change.to_version_id FROM plans_planchange AS change
                WHERE change.account_id = of_account AND change.renewal_id = renewal.id
                  AND change.effective_at <= moment
                ORDER BY change.effective_at DESC, change.id DESC LIMIT 1) AS changed_to
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
                   subscription.status IN ('active', 'past_due') AS is_current,
                   (SELECT change.to_version_id FROM plans_planchange AS change
                    WHERE change.account_id = of_account AND change.renewal_id = renewal.id
                      AND change.effective_at <= moment
                    ORDER BY change.effective_at DESC, change.id DESC LIMIT 1) AS changed_to
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

    SELECT price.unit_price::numeric AS unit_price, tier.above, tier.discounts
    INTO price
    FROM plans_featureprice AS price
    CROSS JOIN LATERAL (
        SELECT array_agg(above_quantity ORDER BY above_quantity) AS above,
               array_agg(discount_percent ORDER BY above_quantity) AS discounts
        FROM plans_pricetier WHERE price_id = price.id
    ) AS tier
    WHERE price.version_id = coalesce(period.changed_to, period.plan_version_id)
      AND price.feature_id = facts.feature_id;
    IF NOT FOUND OR facts.feature_kind <> 'consumable' THEN
        codes := 'm';
        RETURN;
    END IF;

    SELECT id, included, used, billed_quantity INTO allowance FROM plans_allowance
    WHERE account_id = of_account AND renewal_id = period.id AND feature_id = facts.feature_id;
    included_before := greatest(coalesce(allowance.included - allowance.used, 0.000000), 0.000000);
    billed_before := coalesce(allowance.billed_quantity, 0.000000);
    -- With six decimals, as all that comes of it: figures are answered as they are.
    drawn := least(quantity_sent + 0.000000, included_before);
    billed := greatest(quantity_sent - included_before, 0.000000);
    IF price.above IS NULL OR billed_before + billed <= price.above[1] THEN
        -- At the full price, as most are: `price_of_units` and `described_charge` in short.
        charge := round(price.unit_price * billed, 6);
        charged_for := facts.feature_name || ': ' || written_quantity(billed)
                       || CASE WHEN allowance.included > 0 THEN ' beyond the allowance' ELSE '' END
                       || ' × ' || written_price(price.unit_price);
    ELSE
        charge := price_of_units(
            billed, billed_before, price.unit_price, price.above, price.discounts);
        charged_for := described_charge(
            facts.feature_name, billed, billed_before, coalesce(allowance.included > 0, false),
            price.unit_price, price.above, price.discounts);
    END IF;
    balance_after := balance_before - charge;
    codes := 'r';
    figures := drawn || ' ' || billed || ' ' || charge;
    IF balance_after < -biggest OR billed_before + billed > biggest THEN
        codes := 'q';
        RETURN;
    END IF;

    IF charge <> 0 AND (
           balance_after < 0 AND (balance_before >= 0 OR NOT facts.is_paused)
           OR balance_after > 0 AND facts.is_paused
           OR balance_after < low_limit AND low_limit <= balance_before
           OR balance_after <= near_cap AND near_cap < balance_before
           OR balance_after <= cap AND cap < balance_before) THEN
        crossed := of_account || ' ' || balance_before;
        IF is_alone THEN
            codes := NULL;
            RETURN;
        END IF;
    END IF;
    INSERT INTO plans_usagerecord (
        account_id, record_id, feature_id, renewal_id, plan_version_id, quantity,
        included_quantity, billed_quantity, unit_price, amount, included_before,
        billed_before, balance_before, balance_after, occurred_at, recorded_at, workspace,
        source, description)
    VALUES (
        of_account, id_sent, facts.feature_id, period.id,
        coalesce(period.changed_to, period.plan_version_id), quantity_sent, drawn, billed,
        price.unit_price, charge, included_before, billed_before, balance_before, balance_after,
        moment, rated_at, workspace_sent, source_sent, description_sent);
    IF allowance.id IS NULL THEN
        -- Not paid for yet: nothing is included.
        INSERT INTO plans_allowance (
            account_id, renewal_id, feature_id, included, used, billed_quantity)
        VALUES (of_account, period.id, facts.feature_id, 0, 0, billed);
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
        charged_for, id_sent, rated_at);
    IF facts.refill_below > balance_after THEN
        to_refill := of_account;
    END IF;
END $$;
