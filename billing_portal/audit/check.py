"""What a check of the audit is."""

from collections.abc import Sequence
from dataclasses import dataclass

#: Rows named for each check; more than these say the same.
MOST_ROWS = 20

#: What a query may read as `changed_…`: a table, and with `--since` those of its rows that came or
#: changed from that moment on, in an order in which each may read those before it.
CHANGED = {
    "entries": ("wallet_entry", "SELECT * FROM wallet_entry WHERE created_at >= %(since)s"),
    "records": (
        "plans_usagerecord",
        "SELECT * FROM plans_usagerecord WHERE recorded_at >= %(since)s",
    ),
    "wallets": (
        "wallet_wallet",
        """SELECT * FROM wallet_wallet
           WHERE account_id IN (SELECT account_id FROM changed_entries)
              OR created_at >= %(since)s""",
    ),
    "transactions": (
        "invoices_transaction",
        """SELECT * FROM invoices_transaction
           WHERE id IN (SELECT id FROM invoices_transaction WHERE created_at >= %(since)s
                        UNION SELECT id FROM invoices_transaction WHERE paid_at >= %(since)s
                        UNION SELECT id FROM invoices_transaction WHERE failed_at >= %(since)s
                        UNION SELECT transaction_id FROM invoices_refund
                              WHERE greatest(created_at, asked_at, succeeded_at, failed_at)
                                    >= %(since)s
                        UNION SELECT transaction_id FROM invoices_dispute
                              WHERE greatest(opened_at, asked_at, closed_at) >= %(since)s)""",
    ),
    "charges": (
        "djstripe_charge",
        "SELECT * FROM djstripe_charge WHERE djstripe_updated >= %(since)s",
    ),
    "renewals": (
        "plans_renewal",
        """SELECT * FROM plans_renewal
           WHERE id IN (SELECT id FROM plans_renewal WHERE created_at >= %(since)s
                        UNION SELECT id FROM plans_renewal WHERE paid_at >= %(since)s)""",
    ),
    "subscriptions": (
        "plans_subscription",
        """SELECT * FROM plans_subscription
           WHERE created_at >= %(since)s OR current_period_start >= %(since)s
              OR ended_at >= %(since)s
              OR id IN (SELECT subscription_id FROM changed_renewals
                        UNION SELECT subscription_id FROM plans_planchange
                              WHERE greatest(created_at, effective_at) >= %(since)s)""",
    ),
    # Period by period (OFFSET): PostgreSQL would rather read the allowances of all months.
    "allowances": (
        "plans_allowance",
        """SELECT allowance.*
           FROM (SELECT account_id, renewal_id FROM changed_records
                 UNION SELECT account_id, id FROM changed_renewals
                       WHERE created_at >= %(since)s) AS period
           CROSS JOIN LATERAL (
               SELECT * FROM plans_allowance
               WHERE account_id = period.account_id AND renewal_id = period.renewal_id OFFSET 0
           ) AS allowance""",
    ),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One way an invariant could be broken, and how to find it.

    The query is `SELECT … FROM … WHERE <broken>` with one text column, the broken row in words;
    `%(now)s` is the moment of the audit, any other percent sign is doubled. Where what came since a
    moment is checked in another way than the whole, `since` is the query for that; with
    `only_in_full` it is not checked at all then. A check `by_account` reads what is too large to be
    sorted or joined: the full audit does so only for accounts that screen.py found not to add up.
    """

    invariant: str
    rule: str
    query: str
    since: str = ""
    by_account: bool = False
    only_in_full: bool = False

    def statement(self, *, of_accounts: bool) -> str:
        """Return the query over all that there is, or over some `%(accounts)s`."""
        condition = " WHERE account_id = ANY(%(accounts)s)" if of_accounts else ""
        parts = [
            f"changed_{name} AS NOT MATERIALIZED (SELECT * FROM {table}{condition})"  # noqa: S608
            for name, (table, _) in CHANGED.items()
            if f"changed_{name}" in self.query
        ]
        tables = f"WITH {', '.join(parts)}" if parts else ""
        return f"{tables} {self.query} LIMIT {MOST_ROWS}"


def of_what_is_new(checks: Sequence[Check]) -> str:
    """Return one statement for all checks; it answers with a check's place and a broken row.

    So what is new is read once, by its time alone, and all checks see one moment.
    """
    changed = ", ".join(
        f"changed_{name} AS MATERIALIZED ({rows})" for name, (_, rows) in CHANGED.items()
    )
    broken = " UNION ALL ".join(
        f"SELECT {place}, found.* FROM ({check.since or check.query} LIMIT {MOST_ROWS}) AS found"  # noqa: S608
        for place, check in enumerate(checks)
    )
    return f"WITH {changed} {broken}"


def guarded(invariant: str, rule: str, triggers: Sequence[str]) -> Check:
    """Return the check that the triggers which enforce an invariant are there and enabled."""
    return Check(
        invariant,
        rule,
        f"""
        SELECT format('trigger %%s is missing or disabled', name)
        FROM unnest(ARRAY{list(triggers)!r}) AS name
        WHERE NOT EXISTS (SELECT 1 FROM pg_trigger
                          WHERE tgname = name AND tgenabled IN ('O', 'A') AND NOT tgisinternal)
        """,  # noqa: S608 - names from our own modules
    )
