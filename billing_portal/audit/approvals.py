"""Whether a second person agreed to what is beyond one's limit, and to just that (I15)."""

from billing_portal.audit.check import Check, guarded

CHECKS = (
    guarded(
        "I15",
        "who approves what is guarded",
        [
            "adjustments_beyond_a_limit_are_approved",
            "adjustments_are_never_changed",
            "an_approved_adjustment_was_asked_for",
            "refunds_beyond_a_limit_are_approved",
            "who_approved_a_refund_is_fixed",
            "an_approved_refund_was_asked_for",
            "approvals_go_forward",
            "approvals_are_never_deleted",
            "approvals_are_never_truncated",
        ],
    ),
    Check(
        "I15",
        "nobody adjusts beyond their limit alone",
        """
        SELECT format('adjustment %%s of %%s USD: its author''s limit was %%s, nobody approved',
                      id, amount, author_limit)
        FROM wallet_adjustment WHERE approved_by_id IS NULL AND abs(amount) > author_limit
        """,
    ),
    Check(
        "I15",
        "nobody refunds beyond their limit alone",
        """
        SELECT format('refund %%s of %%s USD: the limit of who made it was %%s, nobody approved',
                      number, amount, limit_of_maker)
        FROM invoices_refund
        WHERE origin = 'portal' AND approved_by_id IS NULL AND amount > limit_of_maker
        """,
    ),
    Check(
        "I15",
        "who approves is not who asked",
        """
        SELECT format('approval request %%s was asked for and decided by user %%s', id,
                      decided_by_id)
        FROM wallet_approvalrequest
        WHERE decided_by_id = requested_by_id AND state <> 'withdrawn'
        UNION ALL
        SELECT format('refund %%s was made and approved by user %%s', number, made_by_id)
        FROM invoices_refund WHERE approved_by_id = made_by_id
        """,
    ),
    Check(
        "I15",
        "an approval is used once, for what was asked for",
        """
        SELECT format('adjustment %%s of %%s USD was approved by user %%s in %%s requests',
                      adjustment.id, adjustment.amount, adjustment.approved_by_id, given.requests)
        FROM wallet_adjustment AS adjustment
        CROSS JOIN LATERAL (
            SELECT count(*) AS requests FROM wallet_approvalrequest
            WHERE adjustment_id = adjustment.id AND amount = adjustment.amount
              AND requested_by_id = adjustment.author_id
              AND decided_by_id = adjustment.approved_by_id) AS given
        -- Before there were limits, an approval was only named.
        WHERE adjustment.approved_by_id IS NOT NULL AND adjustment.author_limit IS NOT NULL
          AND given.requests <> 1
        UNION ALL
        SELECT format('refund %%s of %%s USD was approved by user %%s in %%s requests',
                      refund.number, refund.amount, refund.approved_by_id, given.requests)
        FROM invoices_refund AS refund
        CROSS JOIN LATERAL (
            SELECT count(*) AS requests FROM wallet_approvalrequest
            WHERE refund_id = refund.id AND amount = refund.amount
              AND transaction_id = refund.transaction_id
              AND requested_by_id = refund.made_by_id
              AND decided_by_id = refund.approved_by_id) AS given
        WHERE refund.approved_by_id IS NOT NULL AND given.requests <> 1
        """,
    ),
)
