"""Whether every charge was intended, and brought about what it paid for, once (I3, I4, I5, I16)."""

from billing_portal.audit.check import Check, guarded

CHECKS = (
    guarded(
        "I2",
        "what is append-only is guarded",
        [
            "transaction_transitions",
            "transactions_are_never_deleted",
            "transactions_are_never_truncated",
            "lines_of_a_paid_transaction_never_change",
            "lines_sum_to_the_amount",
            "tax_of_a_transaction_is_fixed",
        ],
    ),
    Check(
        "I3",
        "a paid transaction brought about its purpose, once, for the same amount",
        """
        SELECT format('%%s (%%s, %%s USD): credited %%s USD in %%s entries, pays %%s renewals and '
                      '%%s upgrades',
                      payment.number, payment.purpose, payment.amount, credit.total, credit.number,
                      renewal.number, upgrade.number)
        FROM invoices_transaction AS payment
        CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS total, count(*) AS number
                            FROM wallet_entry WHERE transaction_id = payment.id
                            AND kind IN ('top_up', 'auto_refill')) AS credit
        CROSS JOIN LATERAL (SELECT count(*) AS number FROM plans_renewal
                            WHERE transaction_id = payment.id) AS renewal
        CROSS JOIN LATERAL (SELECT count(*) AS number FROM plans_planchange
                            WHERE transaction_id = payment.id AND status = 'applied') AS upgrade
        CROSS JOIN LATERAL (SELECT count(*) AS number FROM plans_rental
                            WHERE payment.purpose = 'rental' AND id = payment.subject_id
                            AND started_at IS NOT NULL) AS rental
        WHERE payment.status = 'paid'
          AND NOT CASE WHEN credit.number > 0
                       THEN credit.number = 1 AND credit.total = payment.amount - payment.tax_amount
                            AND renewal.number = 0 AND rental.number = 0 AND upgrade.number = 0
                       WHEN payment.purpose = 'renewal' THEN renewal.number = 1
                       WHEN payment.purpose = 'plan_change' THEN renewal.number + upgrade.number = 1
                       WHEN payment.purpose = 'rental' THEN rental.number = 1
                       ELSE false END
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
        "I16",
        "the tax of a transaction follows from its rate and is a line of its own",
        """
        SELECT format('%%s: %%s USD with a tax of %%s at %%s percent; its lines have %%s of tax',
                      payment.number, payment.amount, payment.tax_amount, payment.tax_rate,
                      line.tax)
        FROM invoices_transaction AS payment
        CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS tax FROM invoices_line
                            WHERE transaction_id = payment.id AND is_tax) AS line
        WHERE payment.tax_amount <> line.tax
           OR payment.tax_amount
              <> round((payment.amount - payment.tax_amount) * payment.tax_rate / 100, 2)
        """,
    ),
)
