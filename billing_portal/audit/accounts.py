"""Whether services are paused exactly while a reason holds (I13)."""

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
