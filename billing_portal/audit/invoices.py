"""Whether each charge was intended, and brought about what it paid for (I3 to I5, I11, I16)."""

from billing_portal.audit.check import Check, guarded

CHECKS = (
    guarded(
        "I2",
        "what is append-only is guarded",
        [
            "transactions_are_never_deleted",
            "transactions_are_never_truncated",
        ],
    ),
    guarded(
        "I11",
        "only legal transitions are possible",
        ["transaction_transitions", "tax_of_a_transaction_is_fixed"],
    ),
    guarded(
        "I16",
        "what is paid never changes",
        ["lines_of_a_paid_transaction_never_change", "lines_sum_to_the_amount"],
    ),
    Check(
        "I3",
        "a paid transaction brought about its purpose, once, for the same amount",
        """
        SELECT format('%%s (%%s, %%s USD): credited %%s USD in %%s entries, pays %%s renewals and '
                      '%%s upgrades',
                      payment.number, payment.purpose, payment.amount, credit.total, credit.number,
                      renewal.number, upgrade.number)
        FROM changed_transactions AS payment
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
        FROM changed_charges AS charge
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
        FROM changed_transactions
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
        FROM changed_transactions AS payment
        CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS tax FROM invoices_line
                            WHERE transaction_id = payment.id AND is_tax) AS line
        WHERE payment.tax_amount <> line.tax
           OR payment.tax_amount
              <> round((payment.amount - payment.tax_amount) * payment.tax_rate / 100, 2)
        """,
    ),
    Check(
        "I11",
        "a transaction is what its state says",
        """
        SELECT format('%%s is %%s: paid %%s, failed %%s, receipt %%s, payment %%s', number, status,
                      coalesce(paid_at::text, 'never'), coalesce(failed_at::text, 'never'),
                      coalesce(nullif(receipt_number, ''), 'none'),
                      coalesce(nullif(stripe_payment_intent_id, ''), 'none'))
        FROM changed_transactions
        WHERE NOT CASE status
            WHEN 'checkout' THEN paid_at IS NULL AND failed_at IS NULL AND receipt_number = ''
            WHEN 'processing' THEN paid_at IS NULL AND failed_at IS NULL AND receipt_number = ''
                                   AND expired_at IS NULL AND card_id IS NOT NULL
            WHEN 'failed' THEN paid_at IS NULL AND failed_at IS NOT NULL AND receipt_number = ''
                               AND failure_code <> ''
            WHEN 'paid' THEN paid_at IS NOT NULL AND receipt_number <> ''
                             AND stripe_payment_intent_id <> '' AND failure_code = ''
            ELSE false END
        """,
    ),
    Check(
        "I16",
        "the lines of a transaction sum to its amount",
        """
        SELECT format('%%s of %%s USD: its lines sum to %%s', payment.number, payment.amount,
                      coalesce(sum(line.amount), 0))
        FROM changed_transactions AS payment
        LEFT JOIN invoices_line AS line ON line.transaction_id = payment.id
        GROUP BY payment.id, payment.number, payment.amount
        HAVING coalesce(sum(line.amount), 0) <> payment.amount
        """,
        # Payment by payment: however few they are, PostgreSQL may read the lines of all.
        since="""
        SELECT format('%%s of %%s USD: its lines sum to %%s', payment.number, payment.amount,
                      line.total)
        FROM changed_transactions AS payment
        CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS total FROM invoices_line
                            WHERE transaction_id = payment.id) AS line
        WHERE line.total <> payment.amount
        """,
    ),
    Check(
        "I16",
        "a paid transaction has one payment of its own",
        """
        SELECT format('payment %%s pays for %%s', payment.stripe_payment_intent_id,
                      string_agg(payment.number, ', ' ORDER BY payment.number))
        FROM changed_transactions AS payment
        LEFT JOIN invoices_transaction AS other
          ON other.stripe_payment_intent_id = payment.stripe_payment_intent_id
          AND other.stripe_payment_intent_id <> '' AND other.id <> payment.id
          AND other.status = 'paid'
        WHERE payment.status = 'paid'
          AND (payment.stripe_payment_intent_id = '' OR other.id IS NOT NULL)
        GROUP BY payment.stripe_payment_intent_id
        """,
    ),
    Check(
        "I16",
        "what Stripe told of a capture is what its transaction says",
        """
        SELECT format('%%s (%%s) is paid with %%s of %%s %%s: Stripe told of %%s, %%s %%s',
                      payment.number, payment.status, payment.stripe_payment_intent_id,
                      payment.charged_amount, payment.charged_amount_currency,
                      charge.stripe_data ->> 'payment_intent',
                      charge.stripe_data ->> 'amount_captured', charge.stripe_data ->> 'currency')
        FROM changed_charges AS charge JOIN invoices_transaction AS payment
          ON payment.number = charge.stripe_data #>> '{metadata,transaction}'
        WHERE (charge.stripe_data ->> 'captured')::boolean
          AND charge.stripe_data ->> 'status' = 'succeeded'
          AND (payment.status <> 'paid'
               -- Receivers settle in the transaction in which dj-stripe keeps the charge. With a
               -- dispute or a refund that is told first it keeps the charge as well: then Stripe is
               -- to be asked, which is recorded in that transaction.
                  AND NOT EXISTS (SELECT 1 FROM invoices_paymentquestion AS question
                                  WHERE question.payment_intent_id
                                        = charge.stripe_data ->> 'payment_intent')
               OR payment.status = 'paid' AND charge.stripe_data ->> 'payment_intent'
                  <> payment.stripe_payment_intent_id
               OR lower(payment.charged_amount_currency) <> charge.stripe_data ->> 'currency'
               OR payment.charged_amount <> (charge.stripe_data ->> 'amount_captured')::numeric
                  / CASE charge.stripe_data ->> 'currency' WHEN 'omr' THEN 1000 ELSE 100 END)
        """,
    ),
)
