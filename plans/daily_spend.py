"""What usage cost by day, without adding up the period for every page.

A batch of usage writes no sums: rating would pay for them. A task follows each ledger by its entry
numbers, which have no gaps and grow in the order of commits, and adds what came since to the sums
of its days; whoever reads adds the few entries that it has not come to yet. So the answer is exact
at every moment, and costs the same however long the ledger is. All amounts are USD.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from accounts.models import Account
from plans.models import Renewal

#: So many entries are left to whoever reads the sums; with more, the task adds them up.
LEFT_TO_READERS = 200
#: Entries added up in one transaction.
AT_ONCE = 20_000
#: A record may lie a little in the future: its entry can be older than the period it is rated in.
_EARLY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Spend:
    """What one feature cost on one day (USD)."""

    day: date
    feature: str
    amount: Decimal


# A statement sees one moment: the sums and what is not in them yet fit together. Both ends of the
# entries' numbers are said, and records are looked up one by one (LIMIT): PostgreSQL would take a
# range without an end for a third of the ledger, and read all of its records.
_OF_PERIOD = """
WITH ledger AS (
    SELECT wallet.last_sequence AS last,
           coalesce(progress.through_sequence,
                    entries_until(wallet.account_id, %(begin)s)) AS through
    FROM wallet_wallet AS wallet
    LEFT JOIN plans_spendprogress AS progress ON progress.account_id = wallet.account_id
    WHERE wallet.account_id = %(account)s)
SELECT spent.day, feature.name, sum(spent.amount)
FROM (
    SELECT day, feature_id, amount FROM plans_dailyspend
    WHERE account_id = %(account)s AND renewal_id = %(renewal)s
    UNION ALL
    SELECT (record.occurred_at AT TIME ZONE %(zone)s)::date, record.feature_id, record.amount
    FROM wallet_entry AS entry
    CROSS JOIN LATERAL (
        SELECT renewal_id, occurred_at, feature_id, amount FROM plans_usagerecord
        WHERE account_id = %(account)s AND record_id = entry.usage_id LIMIT 1) AS record
    WHERE entry.account_id = %(account)s AND entry.kind = 'usage'
      AND entry.sequence > (SELECT through FROM ledger)
      AND entry.sequence <= (SELECT last FROM ledger)
      AND record.renewal_id = %(renewal)s) AS spent
JOIN plans_feature AS feature ON feature.id = spent.feature_id
WHERE spent.day >= (%(start)s AT TIME ZONE %(zone)s)::date
GROUP BY spent.day, feature.name ORDER BY spent.day, feature.name
"""


def of_period(*, account: Account, renewal: Renewal) -> list[Spend]:
    """Return what the usage rated in a period cost, by day (of the account's) and feature."""
    with connection.cursor() as cursor:
        cursor.execute(
            _OF_PERIOD,
            {
                "account": account.pk,
                "renewal": renewal.pk,
                "start": renewal.period_start,
                "begin": renewal.period_start - _EARLY,
                "zone": str(account.timezone),
            },
        )
        return [Spend(*row) for row in cursor.fetchall()]


_DUE = """
SELECT wallet.account_id
FROM wallet_wallet AS wallet
JOIN accounts_account AS account ON account.id = wallet.account_id
LEFT JOIN plans_spendprogress AS progress ON progress.account_id = wallet.account_id
WHERE wallet.last_sequence - coalesce(progress.through_sequence, 0) > %(left)s
   OR progress.timezone <> account.timezone
ORDER BY wallet.last_sequence - coalesce(progress.through_sequence, 0) DESC
"""


def add_up_due() -> int:
    """Bring the sums of every account that has entries enough up to date; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"left": LEFT_TO_READERS})
        due = [account_id for (account_id,) in cursor.fetchall()]
    for account_id in due:
        while add_up(account_id=account_id):
            pass
    return len(due)


# Days of another timezone are added up anew, and an account that is new here from the beginning of
# its period: nobody asks for the days before.
_BEGIN = """
INSERT INTO plans_spendprogress AS progress
    (account_id, after_sequence, through_sequence, timezone)
SELECT wallet.account_id, place.sequence, place.sequence, account.timezone
FROM wallet_wallet AS wallet
JOIN accounts_account AS account ON account.id = wallet.account_id
LEFT JOIN plans_subscription AS subscription
  ON subscription.account_id = account.id AND subscription.status IN ('active', 'past_due')
CROSS JOIN LATERAL (
    SELECT entries_until(
        wallet.account_id, subscription.current_period_start - %(early)s) AS sequence
) AS place
WHERE wallet.account_id = %(account)s
ON CONFLICT (account_id) DO UPDATE
SET after_sequence = excluded.after_sequence, through_sequence = excluded.through_sequence,
    timezone = excluded.timezone
WHERE progress.timezone <> excluded.timezone
RETURNING account_id
"""
_LOCK = """
SELECT progress.through_sequence, wallet.last_sequence, progress.timezone
FROM plans_spendprogress AS progress
JOIN wallet_wallet AS wallet ON wallet.account_id = progress.account_id
WHERE progress.account_id = %(account)s
FOR UPDATE OF progress
"""
_ADD = """
INSERT INTO plans_dailyspend AS spend (account_id, renewal_id, feature_id, day, amount)
SELECT record.account_id, record.renewal_id, record.feature_id,
       (record.occurred_at AT TIME ZONE %(zone)s)::date AS day, sum(record.amount)
FROM wallet_entry AS entry
JOIN plans_usagerecord AS record
  ON record.account_id = entry.account_id AND record.record_id = entry.usage_id
WHERE entry.account_id = %(account)s AND entry.kind = 'usage'
  AND entry.sequence > %(after)s AND entry.sequence <= %(through)s
GROUP BY record.account_id, record.renewal_id, record.feature_id, day
ON CONFLICT (account_id, renewal_id, feature_id, day)
DO UPDATE SET amount = spend.amount + excluded.amount
"""


def add_up(*, account_id: UUID) -> int:
    """Add the next entries of one ledger to its daily sums; return how many entries were left."""
    parameters: dict[str, Any] = {"account": account_id, "early": _EARLY}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BEGIN, parameters)
        if cursor.fetchone():
            cursor.execute(
                "DELETE FROM plans_dailyspend WHERE account_id = %(account)s", parameters
            )
        # What was committed before this statement has its entries, all numbers up to the last.
        cursor.execute(_LOCK, parameters)
        done, last, zone = cursor.fetchone() or (0, 0, "")
        through = min(last, done + AT_ONCE)
        if through <= done:
            return 0
        cursor.execute(_ADD, {**parameters, "after": done, "through": through, "zone": zone})
        cursor.execute(
            "UPDATE plans_spendprogress SET through_sequence = %(through)s"
            " WHERE account_id = %(account)s",
            {**parameters, "through": through},
        )
    return int(last - through)
