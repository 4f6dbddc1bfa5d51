"""Batches that meet: each writer rates accounts that no other is at, and the rest of them later.

A wallet stays locked until its batch is committed. Where every batch holds the same busy accounts,
whole batches would come one after the other, whatever the number of processors. So accounts belong
to parts, for every writer to the same ones. A writer that meets no other rates its batch in one
transaction. One that does rates a part at a time, each in a transaction of its own, and begins with
whichever is free: the records of an account stay together, in the order sent.

These locks choose the order and nothing else: what is exact is so by the wallets' locks. They are
taken before any other, one call a transaction, and nobody who holds a wallet waits for them.
"""

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from zlib import crc32

from django.db import connection

from plans.usage_records import ParsedRecord

#: More would overlap better, and each costs a call and a commit.
PARTS: Final = 4
#: A batch that is smaller is quicker rated than divided.
WORTH_DIVIDING: Final = 200
#: How long a writer that met another expects to meet others.
_CROWDED: Final = timedelta(seconds=1)
#: With the part, the name of the lock.
_LOCK: Final = 7_204_114
_TAKE_FREE: Final = """
SELECT part FROM unnest(%s::integer[]) AS part WHERE pg_try_advisory_xact_lock(%s, part) LIMIT %s
"""
_crowded_until = timedelta(0)


def places_by_part(records: Sequence[ParsedRecord]) -> dict[int, list[int]]:
    """Return where in the batch the records of each part are, in the order sent.

    The parts are in an order that differs between the writers.
    """
    parts = {account: _part(account) for account in {record.account for record in records}}
    first = threading.get_native_id()
    places: dict[int, list[int]] = {(first + n) % PARTS: [] for n in range(PARTS)}
    for place, record in enumerate(records):
        places[parts[record.account]].append(place)
    return {part: found for part, found in places.items() if found}


def take(parts: Sequence[int]) -> list[int]:
    """Take some of the parts until the transaction ends: all of them while nobody else is met.

    Waits for one when none of them is free.
    """
    global _crowded_until
    now = timedelta(seconds=time.monotonic())
    wanted = 1 if now < _crowded_until else len(parts)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_FREE, [list(parts), _LOCK, wanted])
        taken = [part for (part,) in cursor.fetchall()]
        if len(taken) < wanted:
            _crowded_until = now + _CROWDED
        if not taken:
            taken = [parts[0]]
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, *taken])
    return taken


def _part(account: str) -> int:
    return crc32(account.encode()) % PARTS
