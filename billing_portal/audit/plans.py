"""Whether periods follow each other and usage was charged once (I3, I7, I8, I9)."""

from billing_portal.audit.check import Check, guarded

CHECKS = (
    guarded(
        "I2",
        "what is append-only is guarded",
        [
            "periods_leave_no_gap",
            "a_paid_period_never_changes",
            "rentals_keep_to_the_maximum",
            "usage_is_append_only",
            "usage_is_never_truncated",
            "a_subscribed_version_never_changes",
            "prices_of_a_subscribed_version_never_change",
            "tiers_of_a_subscribed_version_never_change",
            "plan_changes_follow_the_rules",
            "plan_changes_are_never_deleted",
            "plan_changes_are_never_truncated",
        ],
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
        "I3",
        "a charged plan change is in force exactly when its own payment bought it",
        """
        SELECT format('plan change %%s is %%s: %%s for subject %%s is %%s and credited %%s times',
                      change.id, change.status, payment.number, payment.subject_id, payment.status,
                      count(entry.id))
        FROM plans_planchange AS change
        JOIN invoices_transaction AS payment ON payment.id = change.transaction_id
        LEFT JOIN wallet_entry AS entry
          ON entry.transaction_id = payment.id AND entry.kind = 'top_up'
        GROUP BY change.id, payment.id
        HAVING payment.purpose <> 'plan_change'
            OR payment.account_id <> change.account_id
            OR payment.subject_id IS DISTINCT FROM change.subscription_id
            OR NOT CASE change.status
                   WHEN 'processing' THEN payment.status = 'processing'
                   WHEN 'applied' THEN payment.status = 'paid' AND count(entry.id) = 0
                   ELSE payment.status = 'failed'
                        OR payment.status = 'paid' AND count(entry.id) = 1 END
        """,
    ),
    Check(
        "I7",
        "a subscription is on the version of its newest plan change, else of its period",
        """
        SELECT format('subscription %%s is on version %%s, not %%s', subscription.id,
                      subscription.plan_version_id, version.id)
        FROM plans_subscription AS subscription
        JOIN plans_renewal AS renewal ON renewal.subscription_id = subscription.id
          AND renewal.number = subscription.current_period_number
        CROSS JOIN LATERAL (
            SELECT coalesce((SELECT change.to_version_id FROM plans_planchange AS change
                             WHERE change.renewal_id = renewal.id
                             ORDER BY change.effective_at DESC, change.id DESC LIMIT 1),
                            renewal.plan_version_id) AS id) AS version
        WHERE subscription.plan_version_id <> version.id
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
)
