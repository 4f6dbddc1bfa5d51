"""What rating reads and writes, a whole batch at a time: one statement each, however many records.

The arithmetic is not here; see usage.py. Everything that depends on a balance or an allowance is
read after the wallets are locked, in statements of their own: a statement that waited for a lock
still sees what was there before it waited.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from accounts.bulk import as_array, copy_rows
from accounts.references import split
from plans.catalogue_models import Feature, FeatureKind
from plans.pricing import Tier
from plans.subscription_models import CURRENT_STATUSES
from plans.usage_models import UsageRecord


@dataclass(frozen=True, slots=True)
class Period:
    """A period of an account, or its part between two plan changes, with what decides whether a
    moment belongs to it."""

    renewal_id: int
    plan_version_id: int
    start: datetime
    end: datetime
    began_at: datetime  # the subscription's anchor
    ended_at: datetime | None  # when the subscription ended
    is_first: bool
    is_current: bool  # of the subscription in force

    def contains(self, moment: datetime) -> bool:
        """Whether the subscription was in force at `moment`, in this period."""
        return self.start <= moment < self.end and (
            self.began_at <= moment and (self.ended_at is None or moment < self.ended_at)
        )


@dataclass(frozen=True, slots=True)
class Price:
    """A consumable's price in a plan version."""

    included: Decimal
    unit_price: Decimal
    tiers: tuple[Tier, ...]


@dataclass(slots=True)
class Draw:
    """An allowance while a batch draws from it: as stored, and what the batch adds."""

    id: int
    included: Decimal
    used: Decimal
    billed: Decimal
    used_more: Decimal = Decimal(0)
    billed_more: Decimal = Decimal(0)

    @property
    def remaining(self) -> Decimal:
        """What is left of the allowance."""
        return self.included - self.used - self.used_more

    @property
    def billed_before(self) -> Decimal:
        """Units billed in the period so far."""
        return self.billed + self.billed_more


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a record that was rated before."""

    content_hash: bytes
    included_quantity: Decimal
    billed_quantity: Decimal
    amount: Decimal


def _fetch(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


_ACCOUNTS = """
SELECT id, id::text FROM accounts_account WHERE id = ANY(%(ids)s::uuid[])
UNION ALL
SELECT id, 'external:' || external_id FROM accounts_account
WHERE external_id = ANY(%(external_ids)s::varchar[]) AND external_id <> ''
"""


def find_accounts(names: Collection[str]) -> dict[str, UUID]:
    """Return the accounts by what the platform calls them (see accounts/references.py)."""
    references = {name: split(name) for name in names}
    rows = _fetch(
        _ACCOUNTS,
        {
            "ids": as_array(uuid for uuid, _ in references.values() if uuid),
            "external_ids": [external_id for _, external_id in references.values() if external_id],
        },
    )
    known = {name: account_id for account_id, name in rows}
    found = {name: known.get(account_id or name) for name, (account_id, _) in references.items()}
    return {name: account_id for name, account_id in found.items() if account_id}


def find_features(keys: Collection[str]) -> dict[str, Feature]:
    """Return the features by key."""
    return {feature.key: feature for feature in Feature.objects.filter(key__in=keys)}


_RECORDED = """
SELECT record.account_id, record.record_id, record.content_hash,
       record.included_quantity, record.billed_quantity, record.amount
FROM unnest(%(account_ids)s::uuid[], %(record_ids)s::varchar[]) AS sent (account_id, record_id)
JOIN plans_usagerecord AS record USING (account_id, record_id)
"""


def find_recorded(keys: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], Recorded]:
    """Return those of the records that were rated before. Call it under the wallets' lock."""
    rows = _fetch(
        _RECORDED,
        {"account_ids": as_array(key[0] for key in keys), "record_ids": [key[1] for key in keys]},
    )
    return {
        (account_id, record_id): Recorded(bytes(content_hash), *figures)
        for account_id, record_id, content_hash, *figures in rows
    }


# A period's renewal keeps the version that was paid for; each change within the period begins a
# part of its own, which shares the period's allowances.
# Periods that ended before `since` can only matter as an account's very first one, and then no
# record is late enough to fall before it.
_PERIODS = """
SELECT renewal.account_id, renewal.id, part.version_id,
       part.began_at, part.ended_at, renewal.anchor, subscription.ended_at,
       NOT EXISTS (SELECT 1 FROM plans_renewal AS earlier
                   WHERE earlier.account_id = renewal.account_id
                     AND earlier.period_start < renewal.period_start),
       subscription.status = ANY(%(current)s)
FROM plans_renewal AS renewal
JOIN plans_subscription AS subscription ON subscription.id = renewal.subscription_id
CROSS JOIN LATERAL (
    SELECT version_id, began_at, change_id,
           lead(began_at, 1, renewal.period_end) OVER (ORDER BY began_at, change_id) AS ended_at
    FROM (SELECT renewal.plan_version_id AS version_id, renewal.period_start AS began_at,
                 0 AS change_id
          UNION ALL
          SELECT change.to_version_id, change.effective_at, change.id
          FROM plans_planchange AS change
          WHERE change.account_id = renewal.account_id AND change.renewal_id = renewal.id
         ) AS parts) AS part
WHERE renewal.account_id = ANY(%(account_ids)s::uuid[]) AND renewal.period_end > %(since)s
ORDER BY renewal.account_id, renewal.period_start, renewal.id, part.began_at, part.change_id
"""


def find_periods(
    account_ids: Collection[UUID], *, now: datetime, reach: timedelta
) -> dict[UUID, list[Period]]:
    """Return each account's periods of the last `reach`, oldest first."""
    periods: dict[UUID, list[Period]] = {}
    for account_id, *columns in _fetch(
        _PERIODS,
        {
            "account_ids": as_array(account_ids),
            "since": now - reach,
            "current": [str(status) for status in CURRENT_STATUSES],
        },
    ):
        periods.setdefault(account_id, []).append(Period(*columns))
    return periods


_PRICES = """
SELECT price.version_id, price.feature_id, price.included_quantity, price.unit_price,
       tier.above_quantity, tier.discount_percent
FROM plans_featureprice AS price
JOIN plans_feature AS feature ON feature.id = price.feature_id AND feature.kind = %(kind)s
LEFT JOIN plans_pricetier AS tier ON tier.price_id = price.id
WHERE price.version_id = ANY(%(versions)s::bigint[])
ORDER BY price.id, tier.above_quantity
"""


def find_prices(versions: Collection[int]) -> dict[tuple[int, int], Price]:
    """Return the consumables' prices by plan version and feature."""
    prices: dict[tuple[int, int], Price] = {}
    for version_id, feature_id, included, unit_price, above, discount in _fetch(
        _PRICES, {"versions": as_array(versions), "kind": FeatureKind.CONSUMABLE.value}
    ):
        key = (version_id, feature_id)
        tiers = prices[key].tiers if key in prices else ()
        if above is not None:
            tiers = (*tiers, Tier(above, discount))
        prices[key] = Price(included, unit_price, tiers)
    return prices


_ALLOWANCES = """
SELECT allowance.renewal_id, allowance.feature_id,
       allowance.id, allowance.included, allowance.used, allowance.billed_quantity
FROM unnest(%(account_ids)s::uuid[], %(renewal_ids)s::bigint[], %(feature_ids)s::bigint[])
     AS needed (account_id, renewal_id, feature_id)
JOIN plans_allowance AS allowance USING (account_id, renewal_id, feature_id)
"""
# Nothing is included until the period is paid, and paying for it grants its allowances: a row that
# is missing here includes nothing (yet).
_OPEN_ALLOWANCES = """
INSERT INTO plans_allowance (account_id, renewal_id, feature_id, included, used, billed_quantity)
SELECT account_id, renewal_id, feature_id, 0, 0, 0
FROM unnest(%(account_ids)s::uuid[], %(renewal_ids)s::bigint[], %(feature_ids)s::bigint[])
     AS needed (account_id, renewal_id, feature_id)
ORDER BY account_id, renewal_id, feature_id
ON CONFLICT (account_id, renewal_id, feature_id) DO NOTHING
"""


def open_draws(needed: Iterable[tuple[UUID, int, int]]) -> dict[tuple[int, int], Draw]:
    """Return the allowances (account, renewal, feature) by renewal and feature.

    Those that do not exist are made. Call it under the wallets' lock.
    """
    wanted = list(needed)
    columns: dict[str, Any] = {
        "account_ids": as_array(account_id for account_id, _, _ in wanted),
        "renewal_ids": as_array(renewal_id for _, renewal_id, _ in wanted),
        "feature_ids": as_array(feature_id for _, _, feature_id in wanted),
    }
    rows = _fetch(_ALLOWANCES, columns)
    if len(rows) < len(wanted):
        with connection.cursor() as cursor:
            cursor.execute(_OPEN_ALLOWANCES, columns)
        rows = _fetch(_ALLOWANCES, columns)
    return {(renewal_id, feature_id): Draw(*stored) for renewal_id, feature_id, *stored in rows}


# By how much, not to what: a grant that is being paid for at this moment is not overwritten.
_SAVE_ALLOWANCES = """
UPDATE plans_allowance AS allowance
SET used = allowance.used + drawn.used, billed_quantity = allowance.billed_quantity + drawn.billed
FROM unnest(%(ids)s::bigint[], %(used)s::numeric[], %(billed)s::numeric[])
     AS drawn (id, used, billed)
WHERE allowance.id = drawn.id
"""


def save_draws(draws: Iterable[Draw]) -> None:
    """Add to the allowances what the batch drew from them and billed beyond them."""
    moved = [draw for draw in draws if draw.used_more or draw.billed_more]
    if not moved:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _SAVE_ALLOWANCES,
            {
                "ids": as_array(draw.id for draw in moved),
                "used": as_array(draw.used_more for draw in moved),
                "billed": as_array(draw.billed_more for draw in moved),
            },
        )


class NewRecord(NamedTuple):
    """A row to insert: the columns of UsageRecord."""

    account_id: UUID
    record_id: str
    feature_id: int
    renewal_id: int
    plan_version_id: int
    quantity: Decimal
    included_quantity: Decimal
    billed_quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    included_before: Decimal
    billed_before: Decimal
    balance_before: Decimal
    balance_after: Decimal
    occurred_at: datetime
    recorded_at: datetime
    workspace: str
    source: str
    description: str
    content_hash: bytes


def insert_records(records: Iterable[NewRecord]) -> None:
    """Insert the rated records in one statement."""
    copy_rows(UsageRecord, NewRecord._fields, records)
