-- Rates a batch of usage records and writes what follows (DESIGN.md section 7, docs/usage.md).
--
-- The records come as columns; `accounts[n]` and `features[n]` say which of the names given is
-- meant by the nth: names[1 … cardinality(account_ids)] are UUIDs, the external ids follow.
--
-- Exact with any number of writers: one statement locks the wallets, in id order, and only later
-- ones read what depends on them. In READ COMMITTED each statement of a function sees what was
-- committed before it began; a statement that waited for a lock still sees what was there before it
-- waited, so locking and rating in one would draw an allowance twice.
--
-- Answers with
--   to_open    accounts of which a period has begun that is not opened: nothing was done;
--   too_much   nothing was done: some balance or quantity would be beyond what a column holds, so
--              the records have to be rated one by one;
--   codes      a letter for each record in the order sent;
--   figures    what was included, billed and charged of each, with six decimals;
--   crossed    accounts whose new balance may bring something about, each with the balance before;
--   to_refill  accounts below the threshold of their auto-refill.
-- The letters: r recorded, d duplicate, c conflict, a unknown account, f unknown feature, o too old,
-- u in the future, s no subscription, m not metered, q more than an account can hold.
CREATE OR REPLACE FUNCTION record_usage(
    rated_at timestamptz,
    oldest timestamptz,
    newest timestamptz,
    account_ids uuid[],
    external_ids text[],
    feature_keys text[],
    accounts integer[],
    features integer[],
    ids text[],
    quantities numeric[],
    moments timestamptz[],
    workspaces text[],
    sources text[],
    descriptions text[],
    OUT to_open text,
    OUT too_much boolean,
    OUT codes text,
    OUT figures text,
    OUT crossed text,
    OUT to_refill text
)
LANGUAGE plpgsql
-- Planned once for a connection: planning takes longer than rating a small batch. The plan goes by
-- indexes, whatever the tables held when it was made.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
SET enable_memoize = off
AS $$
DECLARE
    biggest CONSTANT numeric := 999999999999.999999;  -- numeric(18, 6)
    names CONSTANT integer := cardinality(account_ids) + cardinality(external_ids);
    -- For each name its account, or none.
    named_accounts uuid[];
    -- Of the locked wallets: the name that led to each, and what they held.
    wallet_names integer[];
    wallet_accounts uuid[];
    wallet_ids bigint[];
    balances numeric[];
    sequences bigint[];
    limits numeric[];
    -- Balances at which usage is near the spend cap, and has reached it.
    near_caps numeric[];
    caps numeric[];
    paused boolean[];
    -- Of each wallet's account the one in force, or none.
    current_subscriptions bigint[];
    -- For each name: which of the locked wallets.
    wallet_of integer[] := array_fill(NULL::integer, ARRAY[greatest(names, 1)]);
    names_without_wallet integer[] := '{}';
    first_named integer;
    feature_ids bigint[];
    feature_names text[];
    ids_repeat boolean;
BEGIN
    named_accounts := account_ids || ARRAY(
        SELECT (SELECT id FROM accounts_account
                WHERE external_id = sent.external_id AND external_id <> '' LIMIT 1)
        FROM unnest(external_ids) WITH ORDINALITY AS sent (external_id, n) ORDER BY sent.n);
    -- In a statement of its own, one wallet after the other in id order: where another batch moved
    -- one while this one waited, PostgreSQL looks at that row anew and at nothing else.
    PERFORM FROM (
        SELECT wallet.id, named.account_id FROM unnest(named_accounts) AS named (account_id)
        CROSS JOIN LATERAL (
            SELECT id FROM wallet_wallet WHERE account_id = named.account_id LIMIT 1) AS wallet
        ORDER BY wallet.id OFFSET 0
    ) AS in_order
    CROSS JOIN LATERAL (
        SELECT FROM wallet_wallet WHERE account_id = in_order.account_id LIMIT 1
        FOR NO KEY UPDATE) AS locked;

    SELECT array_agg(locked.n ORDER BY account_id), array_agg(locked.account_id ORDER BY account_id),
           array_agg(locked.id ORDER BY account_id), array_agg(locked.balance ORDER BY account_id),
           array_agg(locked.last_sequence ORDER BY account_id),
           array_agg(locked.low_balance_limit ORDER BY account_id),
           array_agg(locked.unspent_balance - locked.spend_cap * 0.8 ORDER BY account_id),
           array_agg(locked.unspent_balance - locked.spend_cap ORDER BY account_id),
           array_agg(locked.is_paused ORDER BY account_id),
           array_agg(locked.subscription_id ORDER BY account_id),
           string_agg(locked.account_id::text, ',') FILTER (WHERE locked.has_begun)
    INTO wallet_names, wallet_accounts, wallet_ids, balances, sequences, limits, near_caps, caps,
         paused, current_subscriptions, to_open
    FROM (
        SELECT named.n, wallet.account_id, wallet.id, wallet.balance, wallet.last_sequence,
               wallet.low_balance_limit, wallet.unspent_balance, wallet.spend_cap,
               'negative_balance' = ANY (account.pause_reasons) AS is_paused,
               subscription.id AS subscription_id,
               subscription.current_period_end <= rated_at AS has_begun
        -- Few rows are expected of unnest: each account is looked up by index.
        FROM unnest(named_accounts) WITH ORDINALITY AS named (account_id, n)
        CROSS JOIN LATERAL (
            SELECT * FROM wallet_wallet WHERE account_id = named.account_id LIMIT 1) AS wallet
        JOIN accounts_account AS account ON account.id = wallet.account_id
        LEFT JOIN plans_subscription AS subscription
          ON subscription.account_id = wallet.account_id
         AND subscription.status IN ('active', 'past_due')
    ) AS locked;
    IF to_open IS NOT NULL THEN
        RETURN;
    END IF;
    -- An account that is named in several ways has one wallet: they are in the accounts' order.
    FOR n IN 1 .. coalesce(cardinality(wallet_names), 0) LOOP
        IF n = 1 OR wallet_accounts[n] <> wallet_accounts[n - 1] THEN
            first_named := n;
        END IF;
        wallet_of[wallet_names[n]] := first_named;
    END LOOP;
    IF coalesce(cardinality(wallet_names), 0) < names THEN
        SELECT coalesce(array_agg(named.n), '{}') INTO names_without_wallet
        FROM unnest(named_accounts) WITH ORDINALITY AS named (account_id, n)
        JOIN accounts_account AS account ON account.id = named.account_id
        WHERE wallet_of[named.n] IS NULL;
    END IF;
    SELECT array_agg(feature.id ORDER BY n), array_agg(feature.name ORDER BY n)
    INTO feature_ids, feature_names
    FROM generate_series(1, cardinality(feature_keys)) AS n
    LEFT JOIN LATERAL (
        SELECT id, name FROM plans_feature WHERE key = feature_keys[n] LIMIT 1
    ) AS feature ON true;
    ids_repeat := cardinality(ids) > 1 AND cardinality(ids) > (
        SELECT count(*) FROM (SELECT 1 FROM unnest(ids) AS id GROUP BY id) AS distinct_ids);

    WITH
    -- A period's renewal keeps the version that was paid for; each change within the period begins
    -- a part of its own, which shares the period's allowances. Periods that ended before `oldest`
    -- can only matter as an account's very first one, and then no record is late enough to fall
    -- before it.
    parts AS MATERIALIZED (
        SELECT wallet, renewal_id, version_id, first_period_start,
               -- In force from the anchor on, and until the subscription ended. One that ended
               -- before its next period was opened was in force until then; the newest part of the
               -- one in force has no end yet.
               greatest(began_at, anchor) AS begins,
               least(
                   CASE WHEN canceled_at IS NOT NULL THEN canceled_at
                        WHEN lead(wallet) OVER in_order IS NULL AND is_current THEN 'infinity'
                        WHEN lead(renewal_id) OVER in_order = renewal_id
                        THEN lead(began_at) OVER in_order
                        ELSE period_end END,
                   lead(began_at) OVER in_order) AS ends,
               lag(wallet) OVER in_order IS NULL AS is_oldest
        FROM (
            SELECT wallet, renewal.id AS renewal_id, renewal.period_start, renewal.period_end,
                   renewal.period_start AS first_period_start,
                   renewal.plan_version_id AS version_id, renewal.period_start AS began_at,
                   0 AS change_id, renewal.anchor, former.ended_at AS canceled_at,
                   renewal.subscription_id = current_subscriptions[wallet] AS is_current
            FROM generate_series(1, cardinality(wallet_ids)) AS wallet
            CROSS JOIN LATERAL (
                SELECT id, period_start, period_end, plan_version_id, subscription_id, anchor
                FROM plans_renewal
                WHERE account_id = wallet_accounts[wallet] AND period_end > oldest
                  AND period_start > oldest - interval '32 days'
                OFFSET 0) AS renewal
            -- The subscription in force is known, and has not ended.
            LEFT JOIN LATERAL (
                SELECT ended_at FROM plans_subscription
                WHERE id = renewal.subscription_id
                  AND renewal.subscription_id IS DISTINCT FROM current_subscriptions[wallet]
                LIMIT 1) AS former ON true
            UNION ALL
            SELECT wallet, renewal.id, renewal.period_start, renewal.period_end, NULL,
                   change.to_version_id, change.effective_at, change.id, renewal.anchor,
                   former.ended_at, renewal.subscription_id = current_subscriptions[wallet]
            FROM generate_series(1, cardinality(wallet_ids)) AS wallet
            CROSS JOIN LATERAL (
                SELECT id, to_version_id, effective_at, renewal_id FROM plans_planchange
                WHERE account_id = wallet_accounts[wallet] AND renewal_id IS NOT NULL
                OFFSET 0) AS change
            CROSS JOIN LATERAL (
                SELECT id, period_start, period_end, subscription_id, anchor FROM plans_renewal
                WHERE id = change.renewal_id AND period_end > oldest LIMIT 1) AS renewal
            LEFT JOIN LATERAL (
                SELECT ended_at FROM plans_subscription
                WHERE id = renewal.subscription_id
                  AND renewal.subscription_id IS DISTINCT FROM current_subscriptions[wallet]
                LIMIT 1) AS former ON true
        ) AS part
        WINDOW in_order AS (
            PARTITION BY wallet ORDER BY period_start, renewal_id, began_at, change_id)
    ),
    -- Each record with its part, and with the record that has its id already.
    sent AS MATERIALIZED (
        SELECT place, wallet_of[accounts[place]] AS wallet,
               feature_ids[features[place]] AS feature_id,
               part.renewal_id, part.version_id, first.id AS first_id,
               (first.feature_id = feature_ids[features[place]]
                AND first.quantity = quantities[place] AND first.occurred_at = moments[place]
                AND first.workspace = coalesce(workspaces[place], '')
                AND first.source = coalesce(sources[place], '')
                AND first.description = coalesce(descriptions[place], '')) AS is_repetition
        FROM generate_series(1, cardinality(ids)) AS place
        LEFT JOIN LATERAL (
            SELECT * FROM plans_usagerecord
            WHERE account_id = wallet_accounts[wallet_of[accounts[place]]]
              AND record_id = ids[place] LIMIT 1) AS first ON true
        LEFT JOIN parts AS part
          ON part.wallet = wallet_of[accounts[place]] AND moments[place] < part.ends
         AND (moments[place] >= part.begins
              -- Before the account's first period counts as in it.
              OR part.is_oldest AND NOT EXISTS (
                  SELECT FROM plans_renewal
                  WHERE account_id = wallet_accounts[part.wallet]
                    AND period_start < part.first_period_start))
    ),
    prices AS MATERIALIZED (
        SELECT wanted.version_id, wanted.feature_id, price.unit_price::numeric AS unit_price,
               ARRAY(SELECT above_quantity FROM plans_pricetier
                     WHERE price_id = price.id ORDER BY above_quantity) AS above,
               ARRAY(SELECT discount_percent FROM plans_pricetier
                     WHERE price_id = price.id ORDER BY above_quantity) AS discounts,
               -- In each tier, the first begins at nothing.
               price.unit_price || ARRAY(
                   SELECT price.unit_price * (100 - discount_percent) * 0.01 FROM plans_pricetier
                   WHERE price_id = price.id ORDER BY above_quantity) AS tier_prices,
               written_price(price.unit_price) || ARRAY(
                   SELECT written_price(price.unit_price * (100 - discount_percent) * 0.01)
                   FROM plans_pricetier
                   WHERE price_id = price.id ORDER BY above_quantity) AS written_prices,
               consumable.name || ': ' AS called
        FROM (SELECT DISTINCT version_id, feature_id FROM sent) AS wanted
        CROSS JOIN LATERAL (
            SELECT id, unit_price FROM plans_featureprice
            WHERE version_id = wanted.version_id AND feature_id = wanted.feature_id LIMIT 1
        ) AS price
        CROSS JOIN LATERAL (
            SELECT name FROM plans_feature
            WHERE id = wanted.feature_id AND kind = 'consumable' LIMIT 1) AS consumable
    ),
    judged AS MATERIALIZED (
        SELECT sent.place, sent.wallet, sent.feature_id, sent.renewal_id, sent.version_id,
               sent.first_id, prices.unit_price, prices.above[1] AS first_tier,
               CASE WHEN sent.wallet IS NULL
                         AND NOT coalesce(accounts[place] = ANY (names_without_wallet), false)
                    THEN 'a'
                    WHEN sent.feature_id IS NULL THEN 'f'
                    WHEN sent.first_id IS NOT NULL
                    THEN CASE WHEN sent.is_repetition THEN 'd' ELSE 'c' END
                    WHEN moments[place] < oldest THEN 'o'
                    WHEN moments[place] > newest THEN 'u'
                    WHEN sent.renewal_id IS NULL THEN 's'
                    WHEN prices.unit_price IS NULL THEN 'm'
                    ELSE 'r' END AS code
        FROM sent LEFT JOIN prices USING (version_id, feature_id)
    ),
    -- Of an id that is sent several times, the first that can be placed counts.
    repeated AS MATERIALIZED (
        SELECT place, first_place FROM (
            SELECT place, min(place) OVER (PARTITION BY wallet, ids[place]) AS first_place
            FROM judged WHERE code = 'r' AND ids_repeat) AS each
        WHERE place > first_place
    ),
    drawing AS (
        SELECT judged.place, judged.wallet, judged.feature_id, judged.renewal_id,
               judged.version_id, judged.unit_price, judged.first_tier,
               -- With six decimals, as all that comes of it: figures are answered as they are.
               quantities[judged.place] + 0.000000 AS quantity,
               allowance.id AS allowance_id,
               coalesce(allowance.included, 0) > 0 AS has_allowance,
               coalesce(allowance.included - allowance.used, 0.000000) AS remaining,
               coalesce(allowance.billed_quantity, 0.000000) AS billed_so_far,
               -- What the records before it, for the same allowance, used.
               sum(quantities[judged.place]) OVER (
                   PARTITION BY judged.wallet, judged.renewal_id, judged.feature_id
                   ORDER BY judged.place ROWS UNBOUNDED PRECEDING)
               - quantities[judged.place] AS used_before
        FROM judged
        LEFT JOIN repeated ON repeated.place = judged.place
        LEFT JOIN LATERAL (
            SELECT * FROM plans_allowance
            WHERE account_id = wallet_accounts[judged.wallet]
              AND renewal_id = judged.renewal_id AND feature_id = judged.feature_id LIMIT 1
        ) AS allowance ON true
        WHERE judged.code = 'r' AND repeated.place IS NULL
    ),
    split AS (
        SELECT place, wallet, feature_id, renewal_id, version_id, unit_price, first_tier,
               quantity, allowance_id, has_allowance,
               greatest(remaining - used_before, 0.000000) AS included_before,
               billed_so_far + greatest(used_before - remaining, 0) AS billed_before
        FROM drawing OFFSET 0
    ),
    shared AS (
        SELECT *, least(quantity, included_before) AS included,
               greatest(quantity - included_before, 0.000000) AS billed
        FROM split OFFSET 0
    ),
    -- The tier, from 1, that all of what is billed is in; none where it crosses a boundary.
    placed AS (
        SELECT *,
               CASE WHEN first_tier IS NULL OR billed_before + billed <= first_tier THEN 1
                    ELSE (SELECT CASE WHEN billed_before + billed
                                           <= coalesce(above[begun], 'infinity') THEN begun END
                          FROM (SELECT above, width_bucket(billed_before, above) + 1 AS begun
                                FROM prices
                                WHERE prices.version_id = shared.version_id
                                  AND prices.feature_id = shared.feature_id) AS price)
                    END AS tier
        FROM shared OFFSET 0
    ),
    priced AS (
        SELECT *,
               CASE WHEN tier = 1 THEN round(billed * unit_price, 6)
                    ELSE (SELECT CASE WHEN tier > 1 THEN round(billed * tier_prices[tier], 6)
                                      ELSE price_of_units(billed, billed_before, prices.unit_price,
                                                          above, discounts) END
                          FROM prices
                          WHERE prices.version_id = placed.version_id
                            AND prices.feature_id = placed.feature_id) END AS amount
        FROM placed OFFSET 0
    ),
    rated AS MATERIALIZED (
        SELECT *,
               balances[wallet] - sum(amount) OVER in_order AS balance_after,
               sequences[wallet] + count(*) FILTER (WHERE amount <> 0) OVER in_order AS sequence,
               lead(wallet) OVER in_order IS NULL AS is_last
        FROM priced
        WINDOW in_order AS (PARTITION BY wallet ORDER BY place ROWS UNBOUNDED PRECEDING)
    ),
    beyond AS MATERIALIZED (
        SELECT EXISTS (SELECT FROM rated WHERE balance_after < -biggest
                       OR billed_before + billed > biggest) AS yes
    ),
    recorded AS (
        INSERT INTO plans_usagerecord (
            account_id, record_id, feature_id, renewal_id, plan_version_id, quantity,
            included_quantity, billed_quantity, unit_price, amount, included_before,
            billed_before, balance_before, balance_after, occurred_at, recorded_at, workspace,
            source, description)
        SELECT wallet_accounts[wallet], ids[place], feature_id, renewal_id, version_id, quantity,
               included, billed, unit_price, amount, included_before, billed_before,
               balance_after + amount, balance_after, moments[place], rated_at,
               coalesce(workspaces[place], ''), coalesce(sources[place], ''),
               coalesce(descriptions[place], '')
        FROM rated WHERE NOT (SELECT yes FROM beyond)
    ),
    posted AS (
        INSERT INTO wallet_entry (
            account_id, wallet_id, sequence, kind, amount, balance_after, description, usage_id,
            created_at)
        SELECT wallet_accounts[wallet], wallet_ids[wallet], sequence, 'usage', -amount,
               balance_after,
               CASE WHEN tier IS NOT NULL
                    THEN called || written_quantity(billed)
                         || CASE WHEN has_allowance THEN ' beyond the allowance × ' ELSE ' × ' END
                         || written_prices[tier]
                    ELSE described_charge(
                        feature_names[features[place]], billed, billed_before, has_allowance,
                        rated.unit_price, above, discounts) END,
               ids[place], rated_at
        FROM rated JOIN prices USING (version_id, feature_id)
        WHERE amount <> 0 AND NOT (SELECT yes FROM beyond)
    ),
    -- By how much, not to what.
    drawn AS (
        UPDATE plans_allowance AS allowance
        SET used = allowance.used + drawn.included,
            billed_quantity = allowance.billed_quantity + drawn.billed
        FROM (SELECT allowance_id, sum(included) AS included, sum(billed) AS billed
              FROM rated WHERE allowance_id IS NOT NULL AND quantity <> 0
              GROUP BY allowance_id) AS drawn
        WHERE allowance.id = drawn.allowance_id AND NOT (SELECT yes FROM beyond)
    ),
    -- Nothing is included until the period is paid, and paying for it grants its allowances: a row
    -- that is missing includes nothing (yet).
    opened AS (
        INSERT INTO plans_allowance (
            account_id, renewal_id, feature_id, included, used, billed_quantity)
        SELECT wallet_accounts[wallet], renewal_id, feature_id, 0, 0, sum(billed)
        FROM rated WHERE allowance_id IS NULL AND NOT (SELECT yes FROM beyond)
        GROUP BY wallet, renewal_id, feature_id
    ),
    moved AS (
        SELECT wallet, balances[wallet] AS before, balance_after AS after,
               wallet_ids[wallet] AS wallet_id
        FROM rated WHERE is_last AND sequence > sequences[wallet]
    ),
    refills AS MATERIALIZED (
        SELECT wallet_id, threshold FROM wallet_autorefill
        WHERE wallet_id = ANY (wallet_ids) AND enabled AND suspended_at IS NULL
    ),
    answered AS (
        SELECT place, CASE WHEN (SELECT yes FROM beyond) THEN 'q' ELSE 'r' END AS code,
               included || ' ' || billed || ' ' || amount AS line
        FROM rated
        UNION ALL
        SELECT judged.place, judged.code,
               (SELECT included_quantity || ' ' || billed_quantity || ' ' || amount
                FROM plans_usagerecord WHERE id = judged.first_id)
        FROM judged WHERE judged.code <> 'r'
        UNION ALL
        SELECT place,
               CASE WHEN feature_ids[features[place]] = feature_ids[features[first_place]]
                         AND quantities[place] = quantities[first_place]
                         AND moments[place] = moments[first_place]
                         AND (workspaces[place], sources[place], descriptions[place])
                             IS NOT DISTINCT FROM (workspaces[first_place],
                                 sources[first_place], descriptions[first_place])
                    THEN 'd' ELSE 'c' END,
               (SELECT included || ' ' || billed || ' ' || amount
                FROM rated WHERE rated.place = first_place)
        FROM repeated
    )
    SELECT (SELECT yes FROM beyond) AND cardinality(ids) > 1,
           answer.codes, answer.figures,
           (SELECT string_agg(wallet_accounts[wallet] || ' ' || before, ',') FROM moved
            WHERE after < 0 AND (before >= 0 OR NOT paused[wallet])
               OR after > 0 AND paused[wallet]
               OR after < limits[wallet] AND limits[wallet] <= before
               OR after <= near_caps[wallet] AND near_caps[wallet] < before
               OR after <= caps[wallet] AND caps[wallet] < before),
           (SELECT string_agg(wallet_accounts[wallet]::text, ',')
            FROM refills JOIN moved USING (wallet_id) WHERE threshold > after)
    FROM (SELECT string_agg(code, '') AS codes, string_agg(line, ',') AS figures
          FROM (SELECT code, coalesce(line, '') AS line FROM answered ORDER BY place
               ) AS in_order) AS answer
    INTO too_much, codes, figures, crossed, to_refill;
END $$;
