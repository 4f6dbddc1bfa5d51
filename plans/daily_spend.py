"""What was used and what it cost by day, without adding up the records for every page.

A batch of usage writes no sums: rating would pay for them. A task follows each account's records by
their ids, which grow in the order of commits (an account's records are written under its wallet's
lock), and adds what came since to the sums of its days; whoever reads adds the few records that it
has not come to yet. So the answer is exact at every moment, and costs the same however many records
there are. Days are those of the account's timezone. All amounts are USD.

With the sums the names of an account's workspaces are kept: for its members to choose from, and for
staff to find it by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from accounts.models import Account
from plans.models import Renewal
from wallet.statements import MonthTotals

#: So many records are left to whoever reads the sums; with more, the task adds them up.
LEFT_TO_READERS = 100
#: Records added up in one transaction.
AT_ONCE = 20_000
#: A reader adds no more than these: with more (after a bulk import, or where the task stood still)
#: it says that figures are not complete, instead of reading for seconds.
MOST_READ = 5_000
#: Nothing is reported later than that after it was used (and a little, for clocks and timezones).
_LATEST = timedelta(days=37)
_DAY = timedelta(days=1)


class Group(Enum):
    """What a day's sums are divided by."""

    FEATURE = "feature"
    WORKSPACE = "workspace"


@dataclass(frozen=True, slots=True)
class Spend:
    """What one feature cost on one day (USD)."""

    day: date
    feature: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class DaySum:
    """What was used of a feature, or in a workspace (`name`, empty for none), on one day.

    `unit` is the feature's. Quantities of several features have no sum: `quantity` is that of all
    units, and says something only where a single feature was asked for.
    """

    day: date
    name: str
    unit: str
    amount: Decimal
    quantity: Decimal
    calls: int


@dataclass(frozen=True, slots=True)
class Sums:
    """The days asked for; not `is_complete` while more is being added up than a reader reads."""

    rows: tuple[DaySum, ...]
    is_complete: bool


# A statement sees one moment: the sums and what is not in them yet fit together.
_SUMS = """
WITH rest AS MATERIALIZED (
    SELECT renewal_id, feature_id, workspace, (occurred_at AT TIME ZONE %(zone)s)::date AS day,
           date_trunc('month', recorded_at AT TIME ZONE %(zone)s)::date AS month, amount, quantity
    FROM plans_usagerecord
    WHERE account_id = %(account)s
      AND id > coalesce((SELECT through_id FROM plans_spendprogress
                         WHERE account_id = %(account)s), 0)
    ORDER BY id LIMIT %(most)s),
used AS (
    SELECT day, month, feature_id, workspace, renewal_id, amount, quantity, calls
    FROM plans_dailyspend
    WHERE account_id = %(account)s AND day BETWEEN %(first)s AND %(last)s
    UNION ALL
    SELECT day, month, feature_id, workspace, renewal_id, amount, quantity, 1 FROM rest
    WHERE day BETWEEN %(first)s AND %(last)s)
"""
# One of them for each question, with its place as the suffix of its parameters.
_ANSWER = """
SELECT {place}, used.day, {name}, {unit}, sum(used.amount), sum(used.quantity),
       sum(used.calls)::bigint
FROM used JOIN plans_feature AS feature ON feature.id = used.feature_id
WHERE used.day BETWEEN %(first_{place})s AND %(last_{place})s
  AND (%(renewal_{place})s::bigint IS NULL OR used.renewal_id = %(renewal_{place})s)
  AND (%(feature_{place})s = '' OR feature.key = %(feature_{place})s)
  AND (%(workspace_{place})s::text IS NULL OR used.workspace = %(workspace_{place})s)
GROUP BY 2, 3, 4
"""
_NAME_AND_UNIT = {
    Group.FEATURE: ("feature.name", "feature.unit"),
    Group.WORKSPACE: (
        "used.workspace",
        "CASE WHEN %(feature_{place})s = '' THEN '' ELSE feature.unit END",
    ),
}
# Said also where nothing matches.
_IS_COMPLETE = """
SELECT -1, NULL::date, '', '', NULL::numeric, NULL::numeric, NULL::bigint
WHERE (SELECT count(*) FROM rest) < %(most)s
"""
# By the ledger: what a lagging clock wrote after a month's last entry is in the next statement.
_DEDUCTED = """,
strays AS (
    SELECT record.feature_id, record.amount * edge.sign AS amount
    FROM (VALUES (%(opened_after)s::bigint, %(starts)s::timestamptz, 1),
                 (%(closed_after)s::bigint, %(ends)s::timestamptz, -1))
        AS edge (sequence, moment, sign)
    CROSS JOIN LATERAL (
        SELECT entries_until(%(account)s, edge.moment + interval '1 minute') AS sequence OFFSET 0
    ) AS later
    JOIN wallet_entry AS entry
      ON entry.account_id = %(account)s AND entry.kind = 'usage'
     AND entry.sequence > edge.sequence AND entry.sequence <= later.sequence
     AND entry.created_at < edge.moment
    JOIN plans_usagerecord AS record
      ON record.account_id = %(account)s AND record.record_id = entry.usage_id)
SELECT feature.name, sum(deducted.amount)
FROM (SELECT feature_id, amount FROM used WHERE month = %(month)s
      UNION ALL SELECT feature_id, amount FROM strays) AS deducted
JOIN plans_feature AS feature ON feature.id = deducted.feature_id
GROUP BY feature.name HAVING sum(deducted.amount) <> 0 ORDER BY 2 DESC, 1
"""
# Those kept are read in the order of their index; the records after them are few.
_WORKSPACES = """
WITH rest AS MATERIALIZED (
    SELECT workspace AS name FROM plans_usagerecord
    WHERE account_id = %(account)s
      AND id > coalesce((SELECT through_id FROM plans_spendprogress
                         WHERE account_id = %(account)s), 0)
    ORDER BY id LIMIT %(most)s)
(SELECT name FROM plans_workspace
 WHERE account_id = %(account)s AND starts_with(upper(name), upper(%(begins)s))
 ORDER BY name LIMIT %(names)s)
UNION
SELECT name FROM rest WHERE name <> '' AND starts_with(upper(name), upper(%(begins)s))
ORDER BY name LIMIT %(names)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was used from `first` to `last` (the account's days), by day and `by`.

    With `renewal` only what was rated in that period: on the day on which one period ends and the
    next begins both have usage. `feature` is a key; `workspace` may be the empty name.
    """

    first: date
    last: date
    by: Group
    renewal: Renewal | None = None
    feature: str = ""
    workspace: str | None = None


def answer(*, account: Account, questions: Sequence[Question]) -> list[Sums]:
    """Return the sums that each question asks for, in one statement: all see the same moment."""
    if not questions:
        return []
    parameters = _parameters(
        account, min(each.first for each in questions), max(each.last for each in questions)
    )
    parts = [_IS_COMPLETE]
    for place, question in enumerate(questions):
        name, unit = _NAME_AND_UNIT[question.by]
        parts.append(_ANSWER.format(place=place, name=name, unit=unit.format(place=place)))
        parameters |= {
            f"first_{place}": question.first,
            f"last_{place}": question.last,
            f"renewal_{place}": question.renewal.pk if question.renewal else None,
            f"feature_{place}": question.feature,
            f"workspace_{place}": question.workspace,
        }
    with connection.cursor() as cursor:
        cursor.execute(_SUMS + " UNION ALL ".join(parts) + " ORDER BY 1, 2, 3", parameters)
        found = cursor.fetchall()
    is_complete = bool(found) and found[0][0] == -1
    answers: list[list[DaySum]] = [[] for _ in questions]
    for place, *row in found[is_complete:]:
        answers[place].append(DaySum(*row))
    return [Sums(rows=tuple(rows), is_complete=is_complete) for rows in answers]


def of_days(
    *,
    account: Account,
    first: date,
    last: date,
    by: Group,
    renewal: Renewal | None = None,
    feature: str = "",
    workspace: str | None = None,
) -> Sums:
    """Return the answer to a single question."""
    question = Question(
        first=first, last=last, by=by, renewal=renewal, feature=feature, workspace=workspace
    )
    return answer(account=account, questions=[question])[0]


def in_period(*, account: Account, renewal: Renewal, by: Group) -> Question:
    """Ask for what was rated in a period.

    What was used before the account's first period is rated in it, and is not among its days.
    """
    start = renewal.period_start.astimezone(account.timezone).date()
    return Question(first=start, last=date.max, by=by, renewal=renewal)


def costs(sums: Sums) -> list[Spend]:
    """Return what cost something, of sums by feature."""
    return [Spend(row.day, row.name, row.amount) for row in sums.rows if row.amount]


def deducted(*, account: Account, totals: MonthTotals) -> dict[str, Decimal]:
    """Return what each feature took from the wallet in a statement's month, the dearest first.

    With more to be added up than a reader adds, and while usage is being recorded, it comes to less
    or more than the statement that was read before.
    """
    month = totals.month
    parameters = _parameters(account, month.first_day - _LATEST, month.ends.date() + _DAY)
    parameters |= {
        "month": month.first_day,
        "starts": month.starts,
        "ends": month.ends,
        "opened_after": totals.opening.sequence,
        "closed_after": totals.closing.sequence,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUMS + _DEDUCTED, parameters)
        return dict(cursor.fetchall())


def workspaces(*, account: Account, most: int, begins: str = "") -> Sequence[str]:
    """Return the names of at most `most` workspaces that were ever used, in their order.

    With `begins` those whose names begin with it, in letters of either case.
    """
    parameters: dict[str, Any] = {
        "account": account.pk,
        "most": MOST_READ,
        "names": most,
        "begins": begins,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WORKSPACES, parameters)
        return [name for (name,) in cursor.fetchall()]


def _parameters(account: Account, first: date, last: date) -> dict[str, Any]:
    return {
        "account": account.pk,
        "first": first,
        "last": last,
        "zone": str(account.timezone),
        "most": MOST_READ,
    }


# Each account's look-up ends at the first record beyond those that are left to readers.
_DUE = """
SELECT account.id
FROM accounts_account AS account
LEFT JOIN plans_spendprogress AS progress ON progress.account_id = account.id
WHERE progress.timezone <> account.timezone
   OR EXISTS (
       SELECT FROM plans_usagerecord AS record
       WHERE record.account_id = account.id AND record.id > coalesce(progress.through_id, 0)
       ORDER BY record.id OFFSET %(left)s)
"""


def add_up_due(*, left: int | None = None) -> int:
    """Bring the sums of every account with more records than are `left` up to date.

    Usually LEFT_TO_READERS are. Return how many accounts that was.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"left": LEFT_TO_READERS if left is None else left})
        due = [account_id for (account_id,) in cursor.fetchall()]
    for account_id in due:
        while add_up(account_id=account_id) == AT_ONCE:
            pass
    return len(due)


_BEGIN = """
INSERT INTO plans_spendprogress (account_id, through_id, timezone)
SELECT id, 0, timezone FROM accounts_account WHERE id = %(account)s
ON CONFLICT (account_id) DO NOTHING
"""
_LOCK = """
SELECT progress.through_id, progress.timezone, account.timezone
FROM plans_spendprogress AS progress JOIN accounts_account AS account
  ON account.id = progress.account_id
WHERE progress.account_id = %(account)s FOR UPDATE OF progress
"""
_NEXT = """
SELECT count(*), max(id) FROM (
    SELECT id FROM plans_usagerecord WHERE account_id = %(account)s AND id > %(after)s
    ORDER BY id LIMIT %(most)s) AS record
"""
_ADD = """
WITH added AS (
INSERT INTO plans_dailyspend AS spend
    (account_id, renewal_id, feature_id, workspace, day, month, amount, quantity, calls)
SELECT account_id, renewal_id, feature_id, workspace,
       (occurred_at AT TIME ZONE %(zone)s)::date AS day,
       date_trunc('month', recorded_at AT TIME ZONE %(zone)s)::date AS month,
       sum(amount), sum(quantity), count(*)
FROM plans_usagerecord
WHERE account_id = %(account)s AND id > %(after)s AND id <= %(through)s
GROUP BY account_id, renewal_id, feature_id, workspace, day, month
ON CONFLICT (account_id, day, feature_id, workspace, renewal_id, month)
DO UPDATE SET amount = spend.amount + excluded.amount,
              quantity = spend.quantity + excluded.quantity, calls = spend.calls + excluded.calls
RETURNING spend.account_id, spend.workspace)
INSERT INTO plans_workspace (account_id, name)
SELECT DISTINCT account_id, workspace FROM added WHERE workspace <> ''
ON CONFLICT DO NOTHING
"""


def add_up(*, account_id: UUID) -> int:
    """Add the next records of one account to its daily sums; return how many, AT_ONCE at most.

    Days of another timezone are added up anew at once: readers see the former ones till then.
    """
    parameters: dict[str, Any] = {"account": account_id, "most": AT_ONCE}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BEGIN, parameters)
        cursor.execute(_LOCK, parameters)
        after, former, zone = cursor.fetchone()
        parameters |= {"after": after, "zone": zone}
        if former != zone:
            cursor.execute(
                "DELETE FROM plans_dailyspend WHERE account_id = %(account)s", parameters
            )
            cursor.execute(_ADD, {**parameters, "after": 0, "through": after})
        cursor.execute(_NEXT, parameters)
        number, through = cursor.fetchone()
        if number:
            cursor.execute(_ADD, {**parameters, "through": through})
        cursor.execute(
            "UPDATE plans_spendprogress SET through_id = %(through)s, timezone = %(zone)s"
            " WHERE account_id = %(account)s",
            {**parameters, "through": through or after},
        )
    return int(number)
