"""Whether the ledger adds up, and credit was bought (I1, I3, I6, I15)."""

from billing_portal.audit.check import Check, guarded

CHECKS = (
    guarded(
        "I2",
        "what is append-only is guarded",
        [
            "entries_are_append_only",
            "entries_are_never_truncated",
            "entries_move_the_balance",
            "only_entries_move_the_balance",
            "a_wallet_begins_empty",
            "wallets_are_never_truncated",
            "wallets_are_never_deleted",
            "wallets_keep_their_account",
            "adjustments_are_never_deleted",
            "adjustments_are_never_truncated",
            "adjustments_keep_their_wallet",
            "transactions_keep_their_account",
            "refunds_keep_their_account",
            "disputes_keep_their_account",
            "what_is_not_usage_is_not_spent",
            "consents_are_append_only",
            "consents_are_never_truncated",
        ],
    ),
    Check(
        "I1",
        "a balance equals the sum of its entries, numbered from one without gaps",
        """
        SELECT format('wallet %%s of account %%s: balance %%s, entries sum to %%s; %%s entries, '
                      'the last is number %%s, the wallet says %%s', wallet.id, wallet.account_id,
                      wallet.balance, coalesce(ledger.total, 0), coalesce(ledger.entries, 0),
                      coalesce(ledger.last, 0), wallet.last_sequence)
        FROM changed_wallets AS wallet LEFT JOIN (
            SELECT wallet_id, sum(amount) AS total, count(*) AS entries, max(sequence) AS last
            FROM changed_entries GROUP BY wallet_id) AS ledger ON ledger.wallet_id = wallet.id
        WHERE (wallet.balance, wallet.last_sequence, wallet.last_sequence) IS DISTINCT FROM
              (coalesce(ledger.total, 0), coalesce(ledger.entries, 0), coalesce(ledger.last, 0))
        """,
        since="""
        SELECT format('wallet %%s of account %%s: balance %%s after %%s entries, its last is '
                      'number %%s and left %%s', wallet.id, wallet.account_id, wallet.balance,
                      wallet.last_sequence, last.sequence, last.balance_after)
        FROM changed_wallets AS wallet LEFT JOIN LATERAL (
            SELECT sequence, balance_after FROM wallet_entry
            WHERE account_id = wallet.account_id ORDER BY sequence DESC LIMIT 1) AS last ON true
        WHERE (wallet.balance, wallet.last_sequence) IS DISTINCT FROM
              (coalesce(last.balance_after, 0), coalesce(last.sequence, 0))
        """,
        by_account=True,
    ),
    Check(
        "I1",
        "each entry continues the balance of the one before",
        """
        SELECT format('entry %%s (number %%s of wallet %%s): %%s after %%s %%s', id, sequence,
                      wallet_id, balance_after, before, amount)
        FROM (SELECT id, wallet_id, sequence, amount, balance_after,
                     coalesce(lag(balance_after) OVER chain, 0) AS before
              FROM changed_entries WINDOW chain AS (PARTITION BY wallet_id ORDER BY sequence)
             ) AS chained
        WHERE balance_after <> before + amount
        """,
        # Most of what is new follows on what is new as well; only the rest is looked up.
        since="""
        SELECT format('entry %%s (number %%s of wallet %%s): %%s after %%s %%s', entry.id,
                      entry.sequence, entry.wallet_id, entry.balance_after,
                      coalesce(before.balance_after::text, 'nothing'), entry.amount)
        FROM (SELECT id, account_id, wallet_id, sequence, amount, balance_after,
                     lag(sequence) OVER chain AS newer_sequence,
                     lag(balance_after) OVER chain AS newer_balance
              FROM changed_entries WINDOW chain AS (PARTITION BY account_id ORDER BY sequence)
             ) AS entry
        LEFT JOIN LATERAL (
            SELECT balance_after FROM wallet_entry
            WHERE entry.newer_sequence IS DISTINCT FROM entry.sequence - 1
              AND account_id = entry.account_id AND sequence = entry.sequence - 1
            LIMIT 1) AS older ON true
        CROSS JOIN LATERAL (
            SELECT CASE WHEN entry.newer_sequence = entry.sequence - 1 THEN entry.newer_balance
                        ELSE older.balance_after END AS balance_after) AS before
        WHERE entry.balance_after <> coalesce(before.balance_after, 0) + entry.amount
           OR before.balance_after IS NULL AND entry.sequence <> 1
        """,
        by_account=True,
    ),
    Check(
        "I1",
        "what counts against a spend cap is what usage took since the period began",
        """
        SELECT format('wallet %%s of account %%s: %%s counted after entry %%s, its entries say %%s',
                      wallet.id, wallet.account_id, wallet.unspent_balance - wallet.balance,
                      wallet.spend_since, ledger.unspent_balance - wallet.balance)
        FROM changed_wallets AS wallet
        CROSS JOIN LATERAL (
            SELECT coalesce((SELECT balance_after FROM wallet_entry
                             WHERE account_id = wallet.account_id
                               AND sequence = wallet.spend_since), 0)
                 + coalesce((SELECT sum(amount) FROM wallet_entry
                             WHERE account_id = wallet.account_id AND kind <> 'usage'
                               AND sequence > wallet.spend_since), 0) AS unspent_balance) AS ledger
        WHERE wallet.spend_cap IS NOT NULL
          AND wallet.unspent_balance IS DISTINCT FROM ledger.unspent_balance
        """,
    ),
    Check(
        "I1",
        "counting against a spend cap begins with the period",
        """
        SELECT format('wallet %%s of account %%s counts after entry %%s, the %%s usage %%scame at '
                      '%%s; the period began at %%s', wallet.id, wallet.account_id,
                      wallet.spend_since, CASE WHEN is_early THEN 'next' ELSE 'last' END,
                      CASE WHEN is_early THEN '' ELSE 'before it ' END,
                      CASE WHEN is_early THEN after.created_at ELSE before.created_at END,
                      subscription.current_period_start)
        FROM changed_wallets AS wallet
        JOIN plans_subscription AS subscription
          ON subscription.account_id = wallet.account_id
         AND subscription.status IN ('active', 'past_due')
        LEFT JOIN LATERAL (
            SELECT created_at FROM wallet_entry
            WHERE account_id = wallet.account_id AND sequence <= wallet.spend_since
              AND kind = 'usage' ORDER BY sequence DESC LIMIT 1) AS before ON true
        LEFT JOIN LATERAL (
            SELECT created_at FROM wallet_entry
            WHERE account_id = wallet.account_id AND sequence > wallet.spend_since
              AND kind = 'usage' ORDER BY sequence LIMIT 1) AS after ON true
        -- By a minute two processes that write to one ledger may differ.
        CROSS JOIN LATERAL (
            SELECT coalesce(after.created_at < subscription.current_period_start
                                               - interval '1 minute', false) AS is_early) AS next
        WHERE wallet.spend_cap IS NOT NULL
          AND (is_early
               OR before.created_at > subscription.current_period_start + interval '1 minute')
        """,
    ),
    Check(
        "I3",
        "credit is bought with a paid transaction of the same account",
        """
        SELECT format('entry %%s credits %%s USD for %%s, which is %%s', entry.id, entry.amount,
                      payment.number, payment.status)
        FROM changed_entries AS entry JOIN invoices_transaction AS payment
          ON payment.id = entry.transaction_id
        WHERE entry.kind IN ('top_up', 'auto_refill')
          AND (payment.status <> 'paid' OR payment.account_id <> entry.account_id)
        """,
    ),
    Check(
        "I6",
        "one open refill for a wallet",
        """
        SELECT format('account %%s: open are %%s', account_id, string_agg(number, ', '))
        FROM invoices_transaction
        WHERE purpose = 'auto_refill' AND status = 'processing'
        GROUP BY account_id HAVING count(*) > 1
        """,
    ),
    Check(
        "I15",
        "who approves an adjustment is not its author",
        """
        SELECT format('adjustment %%s of %%s USD was made and approved by user %%s', id, amount,
                      author_id)
        FROM wallet_adjustment WHERE approved_by_id = author_id
        """,
    ),
    Check(
        "I4",
        "auto-refill charges by what its customer agreed to",
        """
        SELECT format('auto-refill of account %%s: %%s below %%s, agreed to were %%s below %%s',
                      wallet.account_id, refill.amount, refill.threshold, consent.amount,
                      consent.threshold)
        FROM wallet_autorefill AS refill
        JOIN wallet_wallet AS wallet ON wallet.id = refill.wallet_id
        LEFT JOIN wallet_autorefillconsent AS consent ON consent.id = refill.consent_id
        WHERE refill.enabled
          AND (wallet.account_id, refill.amount, refill.threshold, refill.monthly_maximum,
               consent.action = 'switched_off')
              IS DISTINCT FROM
              (consent.account_id, consent.amount, consent.threshold, consent.monthly_maximum,
               false)
        """,
    ),
)
