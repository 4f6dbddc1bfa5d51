"""Which accounts' ledgers and usage do not add up: one pass over each of the two large tables.

Sorting ten million entries to see whether each continues the one before, or joining them with as
many records, takes minutes. Sums take none of that and need no memory: of each entry a fingerprint
of its number with the balance after it is added, and one of the number and the balance before it
subtracted. Where the entries follow each other, all cancel out but the last one. Likewise the
fingerprints of records' ids and amounts have to sum to those of the entries, and what was drawn and
billed, weighted by a fingerprint of period and feature, to the allowances.

Sums of 63 bits that agree by accident are as likely as guessing a key of that length; the weights
of period and feature have 31, which is plenty for the few of one account. An account whose sums
differ is looked at row by row: the checks that are `by_account` name what is broken.
"""

#: Returns the account of each ledger that does not add up. One statement, so that entries, records,
#: allowances and balances are those of one moment. `>> 1` leaves room to subtract.
SUSPECTS = """
WITH ledger AS (
    SELECT account_id, wallet_id, count(*) AS entries, max(sequence) AS last, sum(amount) AS total,
           sum((hash_numeric_extended(balance_after, sequence) >> 1)
               - (hash_numeric_extended(balance_after - amount, sequence - 1) >> 1)) AS chain,
           sum(hash_numeric_extended(-amount, hashtextextended(usage_id, 0)) >> 1)
               FILTER (WHERE kind = 'usage') AS charges
    FROM wallet_entry GROUP BY account_id, wallet_id),
used AS (
    SELECT record.account_id,
           sum(hash_numeric_extended(record.amount, hashtextextended(record_id, 0)) >> 1)
               FILTER (WHERE record.amount <> 0) AS charges,
           sum(included_quantity * weight) AS drawn, sum(billed_quantity * weight) AS billed,
           bool_and(included_quantity + billed_quantity = quantity AND included_quantity >= 0
                    AND billed_quantity >= 0
                    AND renewal.account_id IS NOT DISTINCT FROM record.account_id) AS holds
    FROM plans_usagerecord AS record
    LEFT JOIN plans_renewal AS renewal ON renewal.id = record.renewal_id
    CROSS JOIN LATERAL (
        SELECT hashint8extended(record.renewal_id, record.feature_id) & 2147483647 AS weight
    ) AS period
    GROUP BY record.account_id),
allowed AS (
    SELECT account_id, sum(used * weight) AS drawn, sum(billed_quantity * weight) AS billed,
           bool_and(used <= included) AS holds
    FROM plans_allowance
    CROSS JOIN LATERAL (
        SELECT hashint8extended(renewal_id, feature_id) & 2147483647 AS weight) AS period
    GROUP BY account_id)
SELECT DISTINCT account_id
FROM wallet_wallet AS wallet
FULL JOIN ledger USING (account_id)
FULL JOIN used USING (account_id)
FULL JOIN allowed USING (account_id)
WHERE ledger.wallet_id IS DISTINCT FROM wallet.id AND ledger.wallet_id IS NOT NULL
   OR (coalesce(ledger.total, 0), coalesce(ledger.entries, 0), coalesce(ledger.last, 0))
      IS DISTINCT FROM
      (coalesce(wallet.balance, 0), coalesce(wallet.last_sequence, 0),
       coalesce(wallet.last_sequence, 0))
   OR coalesce(ledger.chain, 0)
      <> (hash_numeric_extended(coalesce(wallet.balance, 0), coalesce(wallet.last_sequence, 0))
          >> 1) - (hash_numeric_extended(0, 0) >> 1)
   OR (coalesce(used.charges, 0), coalesce(used.drawn, 0), coalesce(used.billed, 0))
      IS DISTINCT FROM
      (coalesce(ledger.charges, 0), coalesce(allowed.drawn, 0), coalesce(allowed.billed, 0))
   OR NOT used.holds OR NOT allowed.holds
ORDER BY account_id LIMIT 100
"""
