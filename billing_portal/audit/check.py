"""What a check of the audit is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Scope(Enum):
    """What an audit reads of a table."""

    WHOLE = "all of it"
    SINCE = "what came or changed since a moment"
    ACCOUNTS = "the rows of some accounts"


#: What a query may read as `changed_…`: with `--since` what came or changed from that moment on.
CHANGED = {
    "entries": ("wallet_entry", "created_at >= %(since)s"),
    "records": ("plans_usagerecord", "recorded_at >= %(since)s"),
    "wallets": (
        "wallet_wallet",
        """account_id IN (SELECT account_id FROM wallet_entry WHERE created_at >= %(since)s)
           OR created_at >= %(since)s""",
    ),
    "transactions": (
        "invoices_transaction",
        """id IN (SELECT id FROM invoices_transaction WHERE created_at >= %(since)s
                  UNION SELECT id FROM invoices_transaction WHERE paid_at >= %(since)s
                  UNION SELECT id FROM invoices_transaction WHERE failed_at >= %(since)s
                  UNION SELECT transaction_id FROM invoices_refund
                        WHERE greatest(created_at, asked_at, succeeded_at, failed_at) >= %(since)s
                  UNION SELECT transaction_id FROM invoices_dispute
                        WHERE greatest(opened_at, asked_at, closed_at) >= %(since)s)""",
    ),
    "charges": ("djstripe_charge", "djstripe_updated >= %(since)s"),
    "renewals": (
        "plans_renewal",
        """id IN (SELECT id FROM plans_renewal WHERE created_at >= %(since)s
                  UNION SELECT id FROM plans_renewal WHERE paid_at >= %(since)s)""",
    ),
    "subscriptions": (
        "plans_subscription",
        """created_at >= %(since)s OR current_period_start >= %(since)s OR ended_at >= %(since)s
           OR id IN (SELECT subscription_id FROM plans_renewal WHERE created_at >= %(since)s
                     UNION SELECT subscription_id FROM plans_renewal WHERE paid_at >= %(since)s
                     UNION SELECT subscription_id FROM plans_planchange
                           WHERE greatest(created_at, effective_at) >= %(since)s)""",
    ),
    "allowances": (
        "plans_allowance",
        """(account_id, renewal_id) IN (
               SELECT account_id, renewal_id FROM plans_usagerecord WHERE recorded_at >= %(since)s
               UNION SELECT account_id, id FROM plans_renewal WHERE created_at >= %(since)s)""",
    ),
    "spend": (
        "plans_dailyspend",
        """(account_id, renewal_id) IN (SELECT account_id, renewal_id FROM plans_usagerecord
                                        WHERE recorded_at >= %(since)s)""",
    ),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One way an invariant could be broken, and how to find it.

    The query is `SELECT … FROM … WHERE <broken>` with one text column, the broken row in words;
    `%(now)s` is the moment of the audit, any other percent sign is doubled. Where what came since a
    moment is checked in another way than the whole, `since` is the query for that. A check
    `by_account` reads what is too large to be sorted or joined: the full audit does so only for
    accounts that screen.py found not to add up.
    """

    invariant: str
    rule: str
    query: str
    since: str = ""
    by_account: bool = False

    def statement(self, scope: Scope) -> str:
        """Return the query, with the tables that it reads as `changed_…`."""
        query = self.since if scope == Scope.SINCE and self.since else self.query
        parts = []
        for name, (table, changed) in CHANGED.items():
            if f"changed_{name}" in query:
                rows = f"SELECT * FROM {table}"  # noqa: S608 - names from this file
                if scope == Scope.SINCE:
                    rows += f" WHERE {changed}"
                elif scope == Scope.ACCOUNTS:
                    rows += " WHERE account_id = ANY(%(accounts)s)"
                parts.append(f"changed_{name} AS NOT MATERIALIZED ({rows})")
        return f"WITH {', '.join(parts)} {query}" if parts else query


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
