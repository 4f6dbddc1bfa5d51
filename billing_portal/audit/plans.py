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
            "usage_is_of_its_own_period",
            "renewals_are_never_deleted",
            "renewals_keep_their_account",
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
        FROM changed_renewals AS renewal JOIN invoices_transaction AS payment
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
        FROM changed_subscriptions AS subscription
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
        SELECT format('renewal %%s: period %%s of subscription %%s, %%s to %%s', renewal.id,
                      renewal.number, renewal.subscription_id, renewal.period_start,
                      renewal.period_end)
        FROM changed_renewals AS renewal LEFT JOIN plans_renewal AS before
          ON before.account_id = renewal.account_id
          AND before.subscription_id = renewal.subscription_id
          AND before.number = renewal.number - 1
        WHERE renewal.period_start <> start_of_period(renewal.anchor, renewal.number)
           OR renewal.period_end <> start_of_period(renewal.anchor, renewal.number + 1)
           OR before.id IS NULL AND renewal.number <> 1
        """,
    ),
    Check(
        "I7",
        "a subscription is in the newest period that was opened",
        """
        SELECT format('subscription %%s is in period %%s, opened are %%s', subscription.id,
                      subscription.current_period_number, count(renewal.id))
        FROM changed_subscriptions AS subscription
        LEFT JOIN plans_renewal AS renewal ON renewal.subscription_id = subscription.id
        GROUP BY subscription.id, subscription.current_period_number
        HAVING count(renewal.id) <> subscription.current_period_number
        """,
    ),
    Check(
        "I7",
        "subscriptions of an account do not overlap",
        """
        SELECT DISTINCT format('subscriptions %%s and %%s of account %%s',
                               least(one.id, other.id), greatest(one.id, other.id), one.account_id)
        FROM changed_subscriptions AS one JOIN plans_subscription AS other
          ON other.account_id = one.account_id AND other.id <> one.id
        WHERE tstzrange(one.anchor, one.ended_at) && tstzrange(other.anchor, other.ended_at)
          AND one.anchor IS NOT NULL AND other.anchor IS NOT NULL
        """,
    ),
    Check(
        "I8",
        "a usage id is charged at most once",
        """
        SELECT format('record %%s of account %%s: %%s entries of %%s USD for %%s USD',
                      record.record_id, record.account_id, entry.number, entry.total,
                      record.amount)
        FROM changed_records AS record CROSS JOIN LATERAL (
            SELECT count(*) AS number, coalesce(sum(amount), 0) AS total FROM wallet_entry
            WHERE account_id = record.account_id AND usage_id = record.record_id
              AND usage_id <> '') AS entry
        WHERE entry.total <> -record.amount OR entry.number <> (record.amount <> 0)::int
        """,
        # A record and its entry have one time: what is new on both sides makes pairs, which takes
        # no look-up in all that there is. What has no counterpart among them is looked up.
        since="""
        SELECT format('account %%s, for record %%s: %%s entries of %%s USD, %%s records of %%s USD',
                      odd.account_id, odd.id, entry.number, entry.total, record.number,
                      record.total)
        FROM (SELECT account_id, id
              FROM (SELECT account_id, usage_id AS id, amount, true AS is_entry FROM changed_entries
                    WHERE kind = 'usage'
                    UNION ALL SELECT account_id, record_id, amount, false FROM changed_records
                   ) AS side
              GROUP BY account_id, id
              HAVING sum(amount) <> 0
                  OR count(*) FILTER (WHERE NOT is_entry) <> 1
                  OR count(*) FILTER (WHERE is_entry) <> (min(amount) <> 0)::int) AS odd
        CROSS JOIN LATERAL (
            SELECT count(*) AS number, coalesce(sum(amount), 0) AS total FROM wallet_entry
            WHERE account_id = odd.account_id AND usage_id = odd.id AND usage_id <> '') AS entry
        CROSS JOIN LATERAL (
            SELECT count(*) AS number, coalesce(sum(amount), 0) AS total FROM plans_usagerecord
            WHERE account_id = odd.account_id AND record_id = odd.id) AS record
        WHERE entry.total <> -record.total OR entry.number <> (record.total <> 0)::int
           OR record.number <> 1
        """,
        by_account=True,
    ),
    Check(
        "I8",
        "a usage entry has its record",
        """
        SELECT format('entry %%s for record %%s of account %%s', entry.id, entry.usage_id,
                      entry.account_id)
        FROM changed_entries AS entry LEFT JOIN LATERAL (
            SELECT id FROM plans_usagerecord
            WHERE account_id = entry.account_id AND record_id = entry.usage_id LIMIT 1
        ) AS record ON true
        WHERE entry.kind = 'usage' AND record.id IS NULL
        """,
        by_account=True,
        only_in_full=True,  # of what is new, the check before this one looks from both sides
    ),
    Check(
        "I9",
        "included and billed make the quantity reported",
        """
        SELECT format('record %%s of account %%s: %%s included, %%s billed of %%s', record_id,
                      account_id, included_quantity, billed_quantity, quantity)
        FROM changed_records
        WHERE included_quantity + billed_quantity <> quantity
           OR included_quantity < 0 OR billed_quantity < 0
        """,
        by_account=True,
    ),
    Check(
        "I9",
        "an allowance knows what was drawn and billed",
        """
        SELECT format('allowance %%s: %%s of %%s used and %%s billed, records say %%s and %%s',
                      allowance.id, allowance.used, allowance.included, allowance.billed_quantity,
                      coalesce(record.included, 0), coalesce(record.billed, 0))
        FROM changed_allowances AS allowance
        LEFT JOIN (SELECT renewal_id, feature_id, sum(included_quantity) AS included,
                          sum(billed_quantity) AS billed
                   FROM changed_records GROUP BY renewal_id, feature_id) AS record
          ON record.renewal_id = allowance.renewal_id AND record.feature_id = allowance.feature_id
        WHERE allowance.used <> coalesce(record.included, 0)
           OR allowance.billed_quantity <> coalesce(record.billed, 0)
           OR allowance.used > allowance.included
        """,
        # Of a period that began before, the records since continue what was billed before them, and
        # the newest ends at what the allowance says.
        since="""
        SELECT format('allowance %%s: %%s of %%s used and %%s billed; records since drew %%s and '
                      'billed %%s, from %%s to %%s', allowance.id, allowance.used,
                      allowance.included, allowance.billed_quantity,
                      coalesce(record.included, 0), coalesce(record.billed, 0),
                      coalesce(record.billed_from, 0), coalesce(record.billed_to, 0))
        FROM changed_allowances AS allowance
        JOIN plans_renewal AS renewal ON renewal.id = allowance.renewal_id
        LEFT JOIN (SELECT renewal_id, feature_id, sum(included_quantity) AS included,
                          sum(billed_quantity) AS billed, min(billed_before) AS billed_from,
                          max(billed_before + billed_quantity) AS billed_to
                   FROM changed_records GROUP BY renewal_id, feature_id) AS record
          ON record.renewal_id = allowance.renewal_id AND record.feature_id = allowance.feature_id
        WHERE allowance.used > allowance.included
           OR allowance.used < coalesce(record.included, 0)
           OR record.billed_to <> allowance.billed_quantity
           OR record.billed_from + record.billed <> record.billed_to
           OR renewal.created_at >= %(since)s
              AND (allowance.used, allowance.billed_quantity) IS DISTINCT FROM
                  (coalesce(record.included, 0), coalesce(record.billed, 0))
        """,
        by_account=True,
    ),
    Check(
        "I9",
        "what was used by day is what the records say",
        """
        SELECT format('account %%s: its days have %%s USD, %%s units, %%s calls, its records '
                      'up to %%s have %%s, %%s, %%s', account_id, days.amount, days.quantity,
                      days.calls, through_id, used.amount, used.quantity, used.calls)
        FROM plans_spendprogress
        LEFT JOIN (SELECT account_id, sum(amount) AS amount, sum(quantity) AS quantity,
                          sum(calls) AS calls
                   FROM plans_dailyspend GROUP BY account_id) AS days USING (account_id)
        LEFT JOIN (SELECT record.account_id, sum(amount) AS amount, sum(quantity) AS quantity,
                          count(*) AS calls
                   FROM plans_usagerecord AS record
                   JOIN plans_spendprogress AS progress
                     ON progress.account_id = record.account_id AND record.id <= progress.through_id
                   GROUP BY record.account_id) AS used USING (account_id)
        WHERE (days.amount, days.quantity, days.calls)
              IS DISTINCT FROM (used.amount, used.quantity, used.calls)
        """,
        only_in_full=True,  # the days grow with the past, and decide nothing
    ),
)
