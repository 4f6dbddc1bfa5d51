"""Whether services are paused just while a reason holds, and every hold was let go (I11 to I13)."""

from billing_portal.audit.check import Check, guarded

CHECKS = (
    guarded(
        "I2",
        "what is append-only is guarded",
        [
            "audit_events_are_append_only",
            "audit_events_are_never_truncated",
        ],
    ),
    Check(
        "I13",
        "services are paused below zero and not for it above",
        """
        SELECT format('account %%s: balance %%s, paused for {%%s}', account.id, wallet.balance,
                      array_to_string(account.pause_reasons, ', '))
        FROM accounts_account AS account JOIN changed_wallets AS wallet
          ON wallet.account_id = account.id
        WHERE wallet.balance < 0 AND NOT 'negative_balance' = ANY (account.pause_reasons)
           OR wallet.balance > 0 AND 'negative_balance' = ANY (account.pause_reasons)
        """,
    ),
    Check(
        "I13",
        "services are paused for a spend cap exactly while it is reached",
        """
        SELECT format('account %%s: %%s of %%s spent, paused for {%%s}', account.id,
                      wallet.unspent_balance - wallet.balance, wallet.spend_cap,
                      array_to_string(account.pause_reasons, ', '))
        FROM accounts_account AS account JOIN changed_wallets AS wallet
          ON wallet.account_id = account.id
        WHERE coalesce(wallet.unspent_balance - wallet.balance >= wallet.spend_cap, false)
              <> ('spend_cap' = ANY (account.pause_reasons))
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
          AND greatest(subscription.past_due_since + interval '7 days', subscription.grace_until)
              < %(now)s - interval '1 day'
          AND NOT 'subscription_unpaid' = ANY (account.pause_reasons)
        """,
    ),
    Check(
        "I11",
        "a card is what its state says",
        """
        SELECT format('card %%s of account %%s is %%s: default %%s, hold voided %%s, removed %%s',
                      id, account_id, status, is_default, coalesce(hold_voided_at::text, 'never'),
                      coalesce(removed_at::text, 'never'))
        FROM accounts_card
        WHERE status NOT IN ('verifying', 'verified', 'rejected', 'removed')
           OR is_default AND status <> 'verified'
           OR status = 'verified' AND hold_voided_at IS NULL
           OR (status = 'removed') <> (removed_at IS NOT NULL)
        """,
    ),
    Check(
        "I11",
        "an account with a verified card has one default",
        """
        SELECT format('account %%s: %%s verified cards, %%s of them default', account_id, count(*),
                      count(*) FILTER (WHERE is_default))
        FROM accounts_card WHERE status = 'verified'
        GROUP BY account_id HAVING count(*) FILTER (WHERE is_default) <> 1
        """,
    ),
    Check(
        "I12",
        "a hold ends voided",
        """
        SELECT format('card %%s of account %%s, %%s since %%s: its hold %%s is not voided', id,
                      account_id, status, created_at, coalesce(nullif(stripe_hold_id, ''), '?'))
        FROM accounts_card
        WHERE hold_voided_at IS NULL
          -- The sweeper comes by every minute; Stripe may have been away for a while.
          AND CASE status WHEN 'verifying' THEN created_at < %(now)s - interval '1 hour'
                          ELSE stripe_hold_id <> '' END
        """,
    ),
    Check(
        "I12",
        "a hold pays for nothing",
        """
        SELECT format('hold %%s of card %%s is the payment of %%s', card.stripe_hold_id, card.id,
                      payment.number)
        FROM accounts_card AS card JOIN changed_transactions AS payment
          ON payment.stripe_payment_intent_id = card.stripe_hold_id
        WHERE card.stripe_hold_id <> ''
        """,
    ),
    Check(
        "I12",
        "no hold was captured and kept",
        """
        SELECT format('charge %%s of hold %%s: %%s %%s captured', id,
                      stripe_data ->> 'payment_intent', stripe_data ->> 'amount_captured',
                      stripe_data ->> 'currency')
        FROM changed_charges
        WHERE stripe_data #>> '{metadata,hold}' IS NOT NULL
          AND (stripe_data ->> 'captured')::boolean
          AND (stripe_data ->> 'amount_captured')::numeric
              > coalesce((stripe_data ->> 'amount_refunded')::numeric, 0)
        """,
    ),
)
