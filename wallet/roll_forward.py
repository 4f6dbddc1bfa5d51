"""How the credit that we owe customers moved in a period, all accounts together, to the millionth.

The period's entries are read once, by their time, and added up by kind. What each account held at
its two ends is read off the ledger (the balance after an entry), not worked out from these sums: so
that opening + entries = closing is a check that fails when an entry is missing, changed or out of
place. Accounts without an entry in the period held the same at both ends.

However long the ledger is, this costs what the period has, and a look-up for each account.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connection

from wallet.models import EntryKind

_NOTHING: Final = Decimal("0.000000")
#: So many accounts that don't add up are named.
_MOST_NAMED: Final = 20


@dataclass(frozen=True)
class Flow:
    """Entries of a kind in one direction: how many, and what they come to (USD, signed)."""

    count: int = 0
    amount: Decimal = _NOTHING


@dataclass(frozen=True)
class Held:
    """What accounts hold at a moment (USD): credit that we owe them, and what they owe us (< 0)."""

    credit: Flow = Flow()
    debt: Flow = Flow()

    @property
    def amount(self) -> Decimal:
        """Both together."""
        return self.credit.amount + self.debt.amount


@dataclass(frozen=True)
class RollForward:
    """Opening + flows = closing; flows by kind and whether they took credit away.

    `broken` are accounts (at most twenty of them) of which this does not hold, or whose entries are
    not numbered without a gap, with what is missing (USD).
    """

    opening: Held
    closing: Held
    flows: dict[tuple[EntryKind, bool], Flow]
    broken: dict[UUID, Decimal]

    @property
    def difference(self) -> Decimal:
        """What closing differs from opening and entries by: zero, or the books are wrong."""
        moved = sum((flow.amount for flow in self.flows.values()), _NOTHING)
        return self.closing.amount - self.opening.amount - moved

    @property
    def adds_up(self) -> bool:
        """Whether it holds for all accounts together and for each."""
        return not self.difference and not self.broken


# Two processes that write to one ledger have two clocks: around each end of the period entries may
# be out of order for a minute. Then the first one of the later time bounds, and what follows it in
# the ledger is after it here, too, as in the statements (`entries_before`).
_ROLL_FORWARD: Final = """
WITH edge AS MATERIALIZED (
    SELECT %(since)s::timestamptz AS moment, id, account_id, sequence, created_at
    FROM wallet_entry WHERE created_at >= %(since)s::timestamptz - interval '1 minute'
                        AND created_at < %(since)s::timestamptz + interval '1 minute'
    UNION ALL
    SELECT %(until)s::timestamptz, id, account_id, sequence, created_at
    FROM wallet_entry WHERE created_at >= %(until)s::timestamptz - interval '1 minute'
                        AND created_at < %(until)s::timestamptz + interval '1 minute'
), late AS MATERIALIZED (
    SELECT moment, id FROM (
        SELECT moment, id, sequence, created_at,
               min(sequence) FILTER (WHERE created_at >= moment)
                   OVER (PARTITION BY moment, account_id) AS first_later
        FROM edge) AS placed
    WHERE created_at < moment AND sequence > first_later
), flow AS MATERIALIZED (
    SELECT account_id, kind, amount < 0 AS is_taken, count(*) AS entries, sum(amount) AS amount,
           min(sequence) AS first, max(sequence) AS last
    FROM (
        SELECT account_id, kind, amount, sequence FROM wallet_entry
        WHERE created_at >= %(since)s AND created_at < %(until)s
          AND id <> ALL (ARRAY(SELECT id FROM late WHERE moment = %(until)s::timestamptz))
        UNION ALL
        SELECT account_id, kind, amount, sequence FROM wallet_entry
        WHERE id = ANY (ARRAY(SELECT id FROM late WHERE moment = %(since)s::timestamptz))
    ) AS entry
    GROUP BY account_id, kind, amount < 0
), moving AS MATERIALIZED (
    SELECT account_id, sum(entries) AS entries, sum(amount) AS amount,
           min(first) AS first, max(last) AS last
    FROM flow GROUP BY account_id
), held AS MATERIALIZED (
    SELECT moving.account_id, opening.balance AS opening, closing.balance AS closing,
           moving.amount AS moved, moving.entries = moving.last - moving.first + 1 AS is_whole
    FROM moving
    CROSS JOIN LATERAL (
        -- What the entry before left; an account that has none before held nothing.
        SELECT coalesce((
            SELECT balance_after FROM wallet_entry
            WHERE account_id = moving.account_id AND sequence = moving.first - 1
        ), 0) AS balance OFFSET 0) AS opening
    CROSS JOIN LATERAL (
        SELECT balance_after AS balance FROM wallet_entry
        WHERE account_id = moving.account_id AND sequence = moving.last OFFSET 0) AS closing
    UNION ALL
    SELECT wallet.account_id, still.balance, still.balance, 0, true
    FROM wallet_wallet AS wallet
    CROSS JOIN LATERAL (
        SELECT CASE WHEN newest.created_at < %(since)s THEN wallet.balance ELSE (
            SELECT balance_after FROM wallet_entry
            WHERE account_id = wallet.account_id
              AND sequence = (SELECT entries_before(wallet.account_id, %(since)s))
        ) END AS balance
        FROM wallet_entry AS newest
        WHERE newest.account_id = wallet.account_id AND newest.sequence = wallet.last_sequence
        OFFSET 0) AS still
    WHERE wallet.created_at < %(until)s
      AND NOT EXISTS (SELECT FROM moving WHERE moving.account_id = wallet.account_id)
)
SELECT 'flow', kind, is_taken, sum(entries)::bigint, sum(amount) FROM flow GROUP BY kind, is_taken
UNION ALL
SELECT 'opening', '', opening < 0, count(*), sum(opening) FROM held
WHERE opening <> 0 GROUP BY opening < 0
UNION ALL
SELECT 'closing', '', closing < 0, count(*), sum(closing) FROM held
WHERE closing <> 0 GROUP BY closing < 0
UNION ALL
SELECT * FROM (
    SELECT 'broken', account_id::text, false, 1::bigint, closing - opening - moved FROM held
    WHERE closing <> opening + moved OR NOT is_whole LIMIT %(most)s
) AS broken
"""


def roll_forward(*, since: datetime, until: datetime) -> RollForward:
    """Return how credit moved from `since` on and before `until`. One statement, one moment."""
    flows: dict[tuple[EntryKind, bool], Flow] = {}
    held: dict[tuple[str, bool], Flow] = {}
    broken: dict[UUID, Decimal] = {}
    with connection.cursor() as cursor:
        cursor.execute(_ROLL_FORWARD, {"since": since, "until": until, "most": _MOST_NAMED})
        for what, name, is_negative, count, amount in cursor.fetchall():
            match what:
                case "flow":
                    flows[EntryKind(name), is_negative] = Flow(count, amount)
                case "broken":
                    broken[UUID(name)] = amount
                case _:
                    held[what, is_negative] = Flow(count, amount)
    opening, closing = (
        Held(held.get((end, False), Flow()), held.get((end, True), Flow()))
        for end in ("opening", "closing")
    )
    return RollForward(opening=opening, closing=closing, flows=flows, broken=broken)
