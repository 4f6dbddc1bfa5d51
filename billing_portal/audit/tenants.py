"""Whether nothing of one account refers to another's (I14)."""

from billing_portal.audit.check import CHANGED, Check, guarded

#: Table, its column, the table that it refers to. Both say whose they are in `account_id`.
REFERENCES = (
    ("invoices_transaction", "card_id", "accounts_card"),
    ("invoices_transaction", "supersedes_id", "invoices_transaction"),
    ("invoices_refund", "transaction_id", "invoices_transaction"),
    ("invoices_dispute", "transaction_id", "invoices_transaction"),
    ("invoices_reconciliationfinding", "transaction_id", "invoices_transaction"),
    ("wallet_entry", "wallet_id", "wallet_wallet"),
    ("wallet_approvalrequest", "transaction_id", "invoices_transaction"),
    ("wallet_approvalrequest", "refund_id", "invoices_refund"),
    ("wallet_entry", "transaction_id", "invoices_transaction"),
    ("wallet_entry", "refund_id", "invoices_refund"),
    ("wallet_entry", "dispute_id", "invoices_dispute"),
    ("plans_renewal", "subscription_id", "plans_subscription"),
    ("plans_renewal", "transaction_id", "invoices_transaction"),
    ("plans_planchange", "subscription_id", "plans_subscription"),
    ("plans_planchange", "renewal_id", "plans_renewal"),
    ("plans_planchange", "transaction_id", "invoices_transaction"),
    ("plans_allowance", "renewal_id", "plans_renewal"),
    ("plans_usagerecord", "renewal_id", "plans_renewal"),
    ("plans_dailyspend", "renewal_id", "plans_renewal"),
)

#: References of every entry and record: screen.py looks at them in its one pass.
_SCREENED = (("wallet_entry", "wallet_id"), ("plans_usagerecord", "renewal_id"))

#: Sums of days grow with the past and decide nothing: the full audit looks at them.
_ONLY_IN_FULL = ("plans_dailyspend",)

_CHANGED = {table: f"changed_{name}" for name, (table, _) in CHANGED.items()}

#: The composite keys that make it impossible. Entries and usage records have none: a key is one
#: more look-up for each row of a batch. Their triggers check a whole statement at once
#: (`entries_move_the_balance`, `usage_is_of_its_own_period`).
_KEYS = (
    "a_transaction_charges_its_own_card",
    "a_transaction_supersedes_its_own",
    "a_refund_is_of_its_own_transaction",
    "a_dispute_is_of_its_own_transaction",
    "a_finding_is_of_its_own_transaction",
    "a_request_is_of_its_own_transaction",
    "a_reversal_is_of_its_own_wallet",
    "a_renewal_is_of_its_account_and_anchor",
    "a_renewal_is_paid_by_its_own_transaction",
    "a_plan_change_is_of_its_own_subscription",
    "a_plan_change_is_of_its_own_renewal",
    "a_plan_change_is_paid_by_its_own_transaction",
    "an_allowance_is_of_its_own_renewal",
)


def _foreign(table: str, column: str, target: str) -> str:
    return f"""
        SELECT format('%%s %%s of account %%s refers to %%s %%s of account %%s', '{table}', one.id,
                      one.account_id, '{target}', other.id, other.account_id)
        FROM {_CHANGED.get(table, table)} AS one JOIN {target} AS other ON other.id = one.{column}
        WHERE one.{column} IS NOT NULL AND other.account_id <> one.account_id
    """  # noqa: S608 - names from this file


CHECKS = (
    guarded("I14", "a customer's API key stays with its account", ["a_key_keeps_its_account"]),
    Check(
        "I14",
        "keys keep accounts apart",
        f"""
        SELECT format('key %%s is missing or not validated', name)
        FROM unnest(ARRAY{list(_KEYS)!r}) AS name
        WHERE NOT EXISTS (SELECT 1 FROM pg_constraint
                          WHERE conname = name AND contype = 'f' AND convalidated)
        """,  # noqa: S608 - names from this file
    ),
    *(
        Check(
            "I14",
            f"{table}.{column} is of the same account",
            _foreign(table, column, target),
            by_account=(table, column) in _SCREENED,
            only_in_full=table in _ONLY_IN_FULL,
        )
        for table, column, target in REFERENCES
    ),
    Check(
        "I14",
        "an adjustment's entry is of its wallet",
        """
        SELECT format('entry %%s of wallet %%s posts adjustment %%s of wallet %%s', entry.id,
                      entry.wallet_id, adjustment.id, adjustment.wallet_id)
        FROM changed_entries AS entry JOIN wallet_adjustment AS adjustment
          ON adjustment.id = entry.adjustment_id
        WHERE entry.adjustment_id IS NOT NULL AND adjustment.wallet_id <> entry.wallet_id
        """,
    ),
    Check(
        "I14",
        "a transaction pays for what is its account's",
        """
        SELECT format('%%s (%%s) of account %%s pays for %%s of account %%s', payment.number,
                      payment.purpose, payment.account_id, payment.subject_id, subject.account_id)
        FROM changed_transactions AS payment
        JOIN (SELECT 'renewal' AS purpose, id, account_id FROM plans_renewal
              UNION ALL SELECT 'rental', id, account_id FROM plans_rental
              UNION ALL SELECT 'plan_change', id, account_id FROM plans_subscription) AS subject
          ON subject.purpose = payment.purpose AND subject.id = payment.subject_id
        WHERE subject.account_id <> payment.account_id
        """,
    ),
    Check(
        "I14",
        "what is charged for is there",
        """
        SELECT format('%%s (%%s) pays for %%s, which is not there', number, purpose, subject_id)
        FROM changed_transactions AS payment
        WHERE purpose IN ('renewal', 'rental', 'plan_change')
          AND NOT CASE purpose
              WHEN 'renewal' THEN EXISTS (SELECT 1 FROM plans_renewal WHERE id = subject_id)
              WHEN 'rental' THEN EXISTS (SELECT 1 FROM plans_rental WHERE id = subject_id)
              ELSE EXISTS (SELECT 1 FROM plans_subscription WHERE id = subject_id) END
        """,
    ),
)
