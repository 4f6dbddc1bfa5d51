-- The rules of rating that are arithmetic or words (DESIGN.md section 7, docs/usage.md).

-- How many units at full price cost as much as the period's first `quantity` units: each tier makes
-- the units above it cheaper by what its discount adds to the one before. plans/pricing.py says the
-- same in Python; a property test holds the two equal.
CREATE OR REPLACE FUNCTION full_price_units(quantity numeric, above numeric[], discounts numeric[])
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT quantity - coalesce(sum(
        (quantity - tier.above_quantity) * (tier.discount - coalesce(discounts[tier.n - 1], 0)) * 0.01
    ), 0)
    FROM unnest(above, discounts) WITH ORDINALITY AS tier (above_quantity, discount, n)
    WHERE quantity > tier.above_quantity
$$;

-- What `billed` units cost: rounded once, half up, to a millionth of a dollar.
CREATE OR REPLACE FUNCTION price_of_units(
    billed numeric, billed_before numeric, unit_price numeric, above numeric[], discounts numeric[])
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round(unit_price * (full_price_units(billed_before + billed, above, discounts)
                               - full_price_units(billed_before, above, discounts)), 6)
$$;

-- `12`, `0.5`, `1,250`: as accounts.money.format_quantity.
CREATE OR REPLACE FUNCTION written_quantity(quantity numeric) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN quantity < 1000 THEN trim_scale(quantity)::text
                ELSE rtrim(to_char(quantity, 'FM999,999,999,999,990.999999'), '.') END
$$;

-- `$0.10`, `$0.0125`: as accounts.money.format_unit_price.
CREATE OR REPLACE FUNCTION written_price(price numeric) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT '$' || to_char(price, 'FM999,999,999,990.009999999999')
$$;

-- What a charge is for, on either side of a tier each part at its price:
-- `Call minutes: 10 beyond the allowance × $0.10 + 5 × $0.09`.
CREATE OR REPLACE FUNCTION described_charge(
    feature_name text, billed numeric, billed_before numeric, has_allowance boolean,
    unit_price numeric, above numeric[], discounts numeric[])
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH part AS (
        SELECT step.begins,
               least(billed_before + billed,
                     lead(step.begins, 1, billed_before + billed) OVER (ORDER BY step.begins))
               - greatest(billed_before, step.begins) AS units,
               unit_price * (100 - step.discount) * 0.01 AS price
        FROM (SELECT 0::numeric, 0::numeric
              UNION ALL SELECT * FROM unnest(above, discounts)) AS step (begins, discount)
    ), described AS (
        SELECT string_agg(
            written_quantity(units)
            || CASE WHEN has_allowance AND begins = first_begins THEN ' beyond the allowance'
                    ELSE '' END
            || ' × ' || written_price(price), ' + ' ORDER BY begins) AS parts
        FROM (SELECT *, min(begins) OVER () AS first_begins FROM part WHERE units > 0) AS part
    )
    SELECT CASE WHEN length(line) <= 300 THEN line ELSE left(line, 299) || '…' END
    FROM (SELECT feature_name || ': ' || parts AS line FROM described) AS written
$$;
