"""What usage cost since an account's period began, where the account has a spend cap.

Late records count in the period in which they are deducted, not in the one they are rated in: a cap
bounds what leaves the wallet. All amounts are USD.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connection

from accounts import service_state
from accounts.bulk import any_uuid
from accounts.models import PauseReason
from accounts.prepared import fetch_one
from wallet.models import Wallet


@dataclass(frozen=True, slots=True)
class Count:
    """Where counting begins: after entry `since`, and the balance had nothing been used since."""

    since: int
    unspent_balance: Decimal


# What is not usage is little and has an index of its own: this costs the same in a period of a
# million records.
_COUNT: Final = """
SELECT place.sequence,
       coalesce((SELECT balance_after FROM wallet_entry
                 WHERE account_id = %(account)s AND sequence = place.sequence), 0)
       + coalesce((SELECT sum(amount) FROM wallet_entry
                   WHERE account_id = %(account)s AND sequence > place.sequence
                     AND kind <> 'usage'), 0)
FROM (SELECT entries_until(%(account)s, %(start)s) AS sequence OFFSET 0) AS place
"""


def count_from(*, account_id: UUID, start: datetime) -> Count:
    """Return how what was used after `start` is counted; call it under the wallet's lock."""
    row = fetch_one(_COUNT, {"account": account_id, "start": start})
    assert row is not None
    return Count(*row)


_BEGIN: Final = """
UPDATE wallet_wallet SET unspent_balance = balance, spend_since = last_sequence
WHERE account_id = ANY(%s) AND spend_cap IS NOT NULL
RETURNING account_id
"""


def begin(*, account_ids: Collection[UUID], now: datetime) -> None:
    """Count from nothing where there is a cap: a period begins. Services that it paused resume.

    Call it in the transaction that opens the period, under the wallets' lock.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, [list(account_ids)])
        capped = [account_id for (account_id,) in cursor.fetchall()]
    if capped:
        service_state.lift(
            account_ids=capped,
            reason=PauseReason.SPEND_CAP,
            now=now,
            balances=dict(
                Wallet.objects.filter(account_id__in=any_uuid(capped)).values_list(
                    "account_id", "balance"
                )
            ),
        )
