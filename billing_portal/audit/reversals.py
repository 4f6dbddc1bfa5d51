"""Whether what goes back of a payment adds up, and its credit with it (I10)."""

from billing_portal.audit.check import Check, guarded

CHECKS = (
    guarded(
        "I10",
        "what goes back is guarded",
        [
            "refund_transitions",
            "refunds_add_up",
            "refunds_are_never_deleted",
            "refunds_are_never_truncated",
            "a_refund_that_succeeded_has_a_credit_note",
            "only_refunds_move_the_refunded_amount",
            "nothing_is_refunded_when_opened",
            "dispute_transitions",
            "disputes_are_never_deleted",
            "disputes_are_never_truncated",
            "refunds_of_what_is_disputed_are_refused",
            "no_more_credit_is_taken_back_than_was_bought",
        ],
    ),
    Check(
        "I10",
        "refunds never exceed the payment, and it says how much succeeded",
        """
        SELECT format('%%s: paid %%s USD, %%s USD of it tax, %%s charged; refunds give back %%s, '
                      '%%s and %%s; it says %%s', payment.number, payment.amount,
                      payment.tax_amount, payment.charged_amount, given.amount, given.tax,
                      given.charged, payment.refunded_amount)
        FROM changed_transactions AS payment
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount), 0) AS amount, coalesce(sum(tax_amount), 0) AS tax,
                   coalesce(sum(charged_amount), 0) AS charged,
                   coalesce(sum(amount) FILTER (WHERE status = 'succeeded'), 0) AS succeeded
            FROM invoices_refund
            WHERE transaction_id = payment.id AND status <> 'failed') AS given
        WHERE payment.refunded_amount <> given.succeeded
           OR given.amount > payment.amount OR given.tax > payment.tax_amount
           OR given.charged > payment.charged_amount
        """,
    ),
    Check(
        "I10",
        "the credit of a payment is what did not go back of it",
        """
        SELECT format('%%s bought %%s USD of credit; %%s went back of it, taken were %%s',
                      payment.number, credit.bought, gone.net, -credit.moved)
        FROM changed_transactions AS payment
        CROSS JOIN LATERAL (
            SELECT sum(amount) FILTER (WHERE kind IN ('top_up', 'auto_refill')) AS bought,
                   coalesce(sum(amount) FILTER (
                       WHERE kind IN ('refund', 'dispute', 'dispute_reversal')), 0) AS moved
            FROM wallet_entry WHERE transaction_id = payment.id) AS credit
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(part.net), 0) AS net FROM (
                SELECT amount - tax_amount AS net FROM invoices_refund
                WHERE transaction_id = payment.id AND status = 'succeeded'
                UNION ALL
                SELECT amount - tax_amount FROM invoices_dispute
                WHERE transaction_id = payment.id
                  AND status IN ('opened', 'under_review', 'lost')) AS part) AS gone
        WHERE -credit.moved <> least(coalesce(credit.bought, 0), gone.net)
        """,
    ),
    Check(
        "I10",
        "a refund of credit has its entry, once, of its net amount",
        """
        SELECT format('refund %%s of %%s, %%s: %%s USD net, its entries move %%s', refund.number,
                      payment.number, refund.status, refund.amount - refund.tax_amount,
                      posted.total)
        FROM invoices_refund AS refund
        JOIN changed_transactions AS payment ON payment.id = refund.transaction_id
        CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS total FROM wallet_entry
                            WHERE refund_id = refund.id) AS posted
        WHERE EXISTS (SELECT 1 FROM wallet_entry WHERE transaction_id = payment.id
                      AND kind IN ('top_up', 'auto_refill'))
          -- Beside a dispute a refund takes only what that left: the check above adds them up.
          AND NOT EXISTS (SELECT 1 FROM invoices_dispute WHERE transaction_id = payment.id)
          AND posted.total <> CASE refund.status
              WHEN 'succeeded' THEN refund.tax_amount - refund.amount ELSE 0 END
        """,
    ),
    Check(
        "I10",
        "a dispute debits once and is reinstated at most once, as it stands",
        """
        SELECT format('dispute %%s of %%s, %%s: %%s debits of %%s, %%s reversals of %%s',
                      dispute.stripe_dispute_id, payment.number, dispute.status, posted.debits,
                      posted.debited, posted.reversals, posted.reversed)
        FROM invoices_dispute AS dispute
        JOIN changed_transactions AS payment ON payment.id = dispute.transaction_id
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE kind = 'dispute') AS debits,
                   coalesce(-sum(amount) FILTER (WHERE kind = 'dispute'), 0) AS debited,
                   count(*) FILTER (WHERE kind = 'dispute_reversal') AS reversals,
                   coalesce(sum(amount) FILTER (WHERE kind = 'dispute_reversal'), 0) AS reversed
            FROM wallet_entry WHERE dispute_id = dispute.id) AS posted
        WHERE posted.debits > 1 OR posted.reversals > 1 OR posted.reversed > posted.debited
           OR posted.debited > dispute.amount - dispute.tax_amount
           OR posted.reversals > 0 AND dispute.status <> 'won'
           OR posted.debits > 0 AND dispute.status IN ('inquiry', 'dismissed')
        """,
    ),
    Check(
        "I10",
        "a refund that succeeded has its credit note",
        """
        SELECT format('refund %%s succeeded %%s', number, succeeded_at)
        FROM invoices_refund WHERE status = 'succeeded' AND credit_note_number = ''
        """,
    ),
)
