"""What an account used by hour and feature, newest first, reading only the hours that are shown.

Nothing is kept of hours: the index of an account's records by time leads from one hour that has
records to the one before it, and only the records of so many hours are added up. All amounts are
USD; hours are those of UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection


@dataclass(frozen=True, slots=True)
class UsageHour:
    """What was used of a feature from `hour` on, for one hour.

    `balance_after` is what was left after the last of its records that was written.
    """

    hour: datetime
    feature_id: int
    feature: str
    unit: str
    records: int
    quantity: Decimal
    included: Decimal
    amount: Decimal
    balance_after: Decimal


# The hours come newest first and so do the rows: the sums of an hour are made when its rows are
# asked for, and not at all once there are enough.
_HOURS = """
WITH RECURSIVE hours AS (
    (SELECT date_trunc('hour', occurred_at, 'UTC') AS hour FROM plans_usagerecord
     WHERE account_id = %(account)s AND occurred_at >= %(since)s AND occurred_at < %(until)s
     ORDER BY occurred_at DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT date_trunc('hour', occurred_at, 'UTC') FROM plans_usagerecord
            WHERE account_id = %(account)s AND occurred_at >= %(since)s
              AND occurred_at < hours.hour
            ORDER BY occurred_at DESC LIMIT 1)
    FROM hours WHERE hours.hour IS NOT NULL),
used AS (
    SELECT hours.hour, sums.* FROM hours CROSS JOIN LATERAL (
        SELECT feature_id, count(*) AS records, sum(quantity) AS quantity,
               sum(included_quantity) AS included, sum(amount) AS amount,
               (array_agg(balance_after ORDER BY id DESC))[1] AS balance_after
        FROM plans_usagerecord
        WHERE account_id = %(account)s
          AND occurred_at >= hours.hour AND occurred_at < hours.hour + interval '1 hour'
          AND (hours.hour <> %(cut_hour)s OR feature_id < %(cut_feature)s)
        GROUP BY feature_id ORDER BY feature_id DESC) AS sums
    WHERE hours.hour IS NOT NULL
    LIMIT %(most)s)
SELECT used.hour, used.feature_id, feature.name, feature.unit, used.records, used.quantity,
       used.included, used.amount, used.balance_after
FROM used JOIN plans_feature AS feature ON feature.id = used.feature_id
ORDER BY used.hour DESC, used.feature_id DESC
"""


def by_hour(
    *,
    account_id: UUID,
    since: datetime,
    until: datetime,
    most: int,
    after: tuple[datetime, int] | None = None,
) -> list[UsageHour]:
    """Return the newest `most` hours and features with usage from `since` on and before `until`.

    `since` and `until` are whole hours. With `after`, an hour and the id of a feature, of that hour
    only the features whose ids are lower.
    """
    cut_hour, cut_feature = after or (until, 0)
    with connection.cursor() as cursor:
        cursor.execute(
            _HOURS,
            {
                "account": account_id,
                "since": since,
                "until": until,
                "most": most,
                "cut_hour": cut_hour,
                "cut_feature": cut_feature,
            },
        )
        return [UsageHour(*row) for row in cursor.fetchall()]
