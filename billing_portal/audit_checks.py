"""The queries of the audit, by invariant. Each returns one text column: the broken row in words.

A check is `SELECT … AS row FROM … WHERE <broken>`; audit.py adds the limit.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One way an invariant could be broken, and how to find it."""

    invariant: str
    rule: str
    query: str


#: Triggers that keep append-only and derived things as they are.
_TRIGGERS = (
    "audit_events_are_append_only",
    "audit_events_are_never_truncated",
    "transaction_transitions",
    "transactions_are_never_deleted",
    "transactions_are_never_truncated",
    "lines_of_a_paid_transaction_never_change",
    "lines_sum_to_the_amount",
    "entries_are_append_only",
    "entries_are_never_truncated",
    "entries_move_the_balance",
    "only_entries_move_the_balance",
    "a_wallet_begins_empty",
    "wallets_are_never_truncated",
    "periods_leave_no_gap",
    "a_paid_period_never_changes",
    "usage_is_append_only",
    "usage_is_never_truncated",
    "a_subscribed_version_never_changes",
    "prices_of_a_subscribed_version_never_change",
    "tiers_of_a_subscribed_version_never_change",
)

CHECKS = (
    Check(
        "I1",
        "a balance equals the sum of its entries",
        """
        SELECT format('wallet %%s of account %%s: balance %%s, entries sum to %%s', wallet.id,
                      wallet.account_id, wallet.balance, coalesce(sum(entry.amount), 0))
        FROM wallet_wallet AS wallet LEFT JOIN wallet_entry AS entry ON entry.wallet_id = wallet.id
        GROUP BY wallet.id HAVING wallet.balance <> coalesce(sum(entry.amount), 0)
        """,
    ),
    Check(
        "I1",
        "entries are numbered from one without gaps",
        """
        SELECT format('wallet %%s: %%s entries, the last is number %%s, the wallet says %%s',
                      wallet.id, count(entry.id), max(entry.sequence), wallet.last_sequence)
        FROM wallet_wallet AS wallet LEFT JOIN wallet_entry AS entry ON entry.wallet_id = wallet.id
        GROUP BY wallet.id
        HAVING count(entry.id) <> wallet.last_sequence
            OR coalesce(max(entry.sequence), 0) <> wallet.last_sequence
        """,
    ),
    Check(
        "I1",
        "each entry continues the balance of the one before",
        """
        SELECT format('entry %%s (number %%s of wallet %%s): %%s after %%s %%s', id, sequence,
                      wallet_id, balance_after, before, amount)
        FROM (SELECT id, wallet_id, sequence, amount, balance_after,
                     coalesce(lag(balance_after) OVER chain, 0) AS before
              FROM wallet_entry WINDOW chain AS (PARTITION BY wallet_id ORDER BY sequence)
             ) AS chained
        WHERE balance_after <> before + amount
        """,
    ),
    Check(
        "I2",
        "what is append-only is guarded",
        f"""
        SELECT format('trigger %%s is missing or disabled', name)
        FROM unnest(ARRAY{list(_TRIGGERS)!r}) AS name
        WHERE NOT EXISTS (SELECT 1 FROM pg_trigger
                          WHERE tgname = name AND tgenabled IN ('O', 'A') AND NOT tgisinternal)
        """,  # noqa: S608 - names from this file
    ),
    Check(
        "I3",
        "a paid transaction brought about its purpose, once, for the same amount",
        """
        SELECT format('%%s (%%s, %%s USD): credited %%s USD in %%s entries, pays %%s renewals',
                      payment.number, payment.purpose, payment.amount, credit.total, credit.number,
                      renewal.number)
        FROM invoices_transaction AS payment
        CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS total, count(*) AS number
                            FROM wallet_entry WHERE transaction_id = payment.id
                            AND kind IN ('top_up', 'auto_refill')) AS credit
        CROSS JOIN LATERAL (SELECT count(*) AS number FROM plans_renewal
                            WHERE transaction_id = payment.id) AS renewal
        CROSS JOIN LATERAL (SELECT count(*) AS number FROM plans_rental
                            WHERE payment.purpose = 'rental' AND id = payment.subject_id
                            AND started_at IS NOT NULL) AS rental
        WHERE payment.status = 'paid'
          AND NOT CASE WHEN credit.number > 0
                       THEN credit.number = 1 AND credit.total = payment.amount - payment.tax_amount
                            AND renewal.number = 0 AND rental.number = 0
                       WHEN payment.purpose IN ('renewal', 'plan_change') THEN renewal.number = 1
                       WHEN payment.purpose = 'rental' THEN rental.number = 1
                       ELSE false END
        """,
    ),
    Check(
        "I3",
        "credit is bought with a paid transaction of the same account",
        """
        SELECT format('entry %%s credits %%s USD for %%s, which is %%s', entry.id, entry.amount,
                      payment.number, payment.status)
        FROM wallet_entry AS entry JOIN invoices_transaction AS payment
          ON payment.id = entry.transaction_id
        WHERE entry.kind IN ('top_up', 'auto_refill')
          AND (payment.status <> 'paid' OR payment.account_id <> entry.account_id)
        """,
    ),
    Check(
        "I3",
        "a period is paid for by its own paid transaction, of the same amount",
        """
        SELECT format('renewal %%s for %%s USD: %%s of %%s USD for subject %%s, which is %%s',
                      renewal.id, renewal.amount, payment.number, payment.amount,
                      payment.subject_id, payment.status)
        FROM plans_renewal AS renewal JOIN invoices_transaction AS payment
          ON payment.id = renewal.transaction_id
        WHERE payment.status <> 'paid'
           OR payment.account_id <> renewal.account_id
           OR payment.amount - payment.tax_amount <> renewal.amount
           OR payment.purpose NOT IN ('renewal', 'plan_change')
           OR payment.subject_id IS DISTINCT FROM
              CASE payment.purpose WHEN 'renewal' THEN renewal.id ELSE renewal.subscription_id END
        """,
    ),
    Check(
        "I4",
        "no capture is known without a transaction that was opened before",
        """
        SELECT format('charge %%s of %%s %%s names transaction %%s', charge.id,
                      charge.stripe_data ->> 'amount_captured', charge.stripe_data ->> 'currency',
                      coalesce(charge.stripe_data #>> '{metadata,transaction}', 'none'))
        FROM djstripe_charge AS charge
        LEFT JOIN invoices_transaction AS payment
          ON payment.number = charge.stripe_data #>> '{metadata,transaction}'
        WHERE (charge.stripe_data ->> 'captured')::boolean
          AND charge.stripe_data ->> 'status' = 'succeeded'
          AND payment.id IS NULL
          AND charge.stripe_data #>> '{metadata,hold}' IS NULL
        """,
    ),
    Check(
        "I4",
        "a transaction was opened before it was settled",
        """
        SELECT format('%%s: opened %%s, settled %%s', number, created_at,
                      coalesce(paid_at, failed_at))
        FROM invoices_transaction
        WHERE coalesce(paid_at, failed_at) < created_at
           OR status = 'paid' AND stripe_payment_intent_id = ''
        """,
    ),
    Check(
        "I5",
        "one open attempt for an obligation",
        """
        SELECT format('account %%s, %%s: open are %%s', account_id, obligation,
                      string_agg(number, ', '))
        FROM invoices_transaction
        WHERE status IN ('checkout', 'processing') AND obligation <> ''
        GROUP BY account_id, obligation HAVING count(*) > 1
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
        "I7",
        "periods follow from the anchor, without gaps",
        """
        SELECT format('renewal %%s: period %%s of subscription %%s, %%s to %%s', id, number,
                      subscription_id, period_start, period_end)
        FROM (SELECT renewal.*, lag(number) OVER periods AS before
              FROM plans_renewal AS renewal
              WINDOW periods AS (PARTITION BY subscription_id ORDER BY number)) AS renewal
        WHERE period_start <> start_of_period(anchor, number)
           OR period_end <> start_of_period(anchor, number + 1)
           OR number <> coalesce(before, 0) + 1
        """,
    ),
    Check(
        "I7",
        "a subscription is in the newest period that was opened",
        """
        SELECT format('subscription %%s is in period %%s, opened are %%s', subscription.id,
                      subscription.current_period_number, count(renewal.id))
        FROM plans_subscription AS subscription
        LEFT JOIN plans_renewal AS renewal ON renewal.subscription_id = subscription.id
        GROUP BY subscription.id
        HAVING count(renewal.id) <> subscription.current_period_number
        """,
    ),
    Check(
        "I7",
        "subscriptions of an account do not overlap",
        """
        SELECT format('subscriptions %%s and %%s of account %%s', one.id, other.id, one.account_id)
        FROM plans_subscription AS one JOIN plans_subscription AS other
          ON other.account_id = one.account_id AND other.id > one.id
        WHERE tstzrange(one.anchor, one.ended_at) && tstzrange(other.anchor, other.ended_at)
          AND one.anchor IS NOT NULL AND other.anchor IS NOT NULL
        """,
    ),
    Check(
        "I8",
        "a usage id is charged at most once",
        """
        SELECT format('record %%s of account %%s: %%s entries of %%s USD for %%s USD',
                      record.record_id, record.account_id, count(entry.id), sum(entry.amount),
                      record.amount)
        FROM plans_usagerecord AS record LEFT JOIN wallet_entry AS entry
          ON entry.account_id = record.account_id AND entry.usage_id = record.record_id
        GROUP BY record.id
        HAVING coalesce(sum(entry.amount), 0) <> -record.amount
            OR count(entry.id) <> (record.amount <> 0)::int
        """,
    ),
    Check(
        "I8",
        "a usage entry has its record",
        """
        SELECT format('entry %%s for record %%s of account %%s', entry.id, entry.usage_id,
                      entry.account_id)
        FROM wallet_entry AS entry LEFT JOIN plans_usagerecord AS record
          ON record.account_id = entry.account_id AND record.record_id = entry.usage_id
        WHERE entry.kind = 'usage' AND record.id IS NULL
        """,
    ),
    Check(
        "I9",
        "included and billed make the quantity reported",
        """
        SELECT format('record %%s of account %%s: %%s included, %%s billed of %%s', record_id,
                      account_id, included_quantity, billed_quantity, quantity)
        FROM plans_usagerecord
        WHERE included_quantity + billed_quantity <> quantity
           OR included_quantity < 0 OR billed_quantity < 0
        """,
    ),
    Check(
        "I9",
        "an allowance knows what was drawn and billed",
        """
        SELECT format('allowance %%s: %%s of %%s used and %%s billed, records say %%s and %%s',
                      allowance.id, allowance.used, allowance.included, allowance.billed_quantity,
                      coalesce(sum(record.included_quantity), 0),
                      coalesce(sum(record.billed_quantity), 0))
        FROM plans_allowance AS allowance
        LEFT JOIN plans_usagerecord AS record
          ON record.renewal_id = allowance.renewal_id AND record.feature_id = allowance.feature_id
        GROUP BY allowance.id
        HAVING allowance.used <> coalesce(sum(record.included_quantity), 0)
            OR allowance.billed_quantity <> coalesce(sum(record.billed_quantity), 0)
            OR allowance.used > allowance.included
        """,
    ),
    Check(
        "I13",
        "services are paused below zero and not for it above",
        """
        SELECT format('account %%s: balance %%s, paused for {%%s}', account.id, wallet.balance,
                      array_to_string(account.pause_reasons, ', '))
        FROM accounts_account AS account JOIN wallet_wallet AS wallet
          ON wallet.account_id = account.id
        WHERE wallet.balance < 0 AND NOT 'negative_balance' = ANY (account.pause_reasons)
           OR wallet.balance > 0 AND 'negative_balance' = ANY (account.pause_reasons)
        """,
    ),
    Check(
        "I13",
        "services are paused for an unpaid subscription only while there is one",
        """
        SELECT format('account %%s is paused for {%%s}', account.id,
                      array_to_string(account.pause_reasons, ', '))
        FROM accounts_account AS account
        WHERE 'subscription_unpaid' = ANY (account.pause_reasons)
          AND NOT EXISTS (SELECT 1 FROM plans_subscription AS subscription
                          WHERE subscription.account_id = account.id
                            AND subscription.status = 'past_due')
        """,
    ),
    Check(
        "I13",
        "services are paused once the grace of an unpaid renewal has run out",
        """
        SELECT format('account %%s: unpaid since %%s', subscription.account_id,
                      subscription.past_due_since)
        FROM plans_subscription AS subscription JOIN accounts_account AS account
          ON account.id = subscription.account_id
        WHERE subscription.status = 'past_due'
          -- A day more than the grace: the sweep may have been away.
          AND subscription.past_due_since < %(now)s - interval '8 days'
          AND NOT 'subscription_unpaid' = ANY (account.pause_reasons)
        """,
    ),
)
