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
        FROM invoices_transaction AS payment
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
        FROM invoices_transaction AS payment
        CROSS JOIN LATERAL (
            SELECT sum(amount) FILTER (WHERE kind IN ('top_up', 'auto_refill')) AS bought,
                   coalesce(sum(amount) FILTER (
                       WHERE kind IN ('refund', 'dispute', 'dispute_reversal')), 0) AS moved
            FROM wallet_entry WHERE transaction_id = payment.id) AS credit
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount - tax_amount), 0) AS net FROM invoices_refund
            WHERE transaction_id = payment.id AND status = 'succeeded') AS gone
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
        JOIN invoices_transaction AS payment ON payment.id = refund.transaction_id
        CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS total FROM wallet_entry
                            WHERE refund_id = refund.id) AS posted
        WHERE EXISTS (SELECT 1 FROM wallet_entry WHERE transaction_id = payment.id
                      AND kind IN ('top_up', 'auto_refill'))
          AND posted.total <> CASE refund.status
              WHEN 'succeeded' THEN refund.tax_amount - refund.amount ELSE 0 END
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
