"""The entries of a ledger from one moment to another, at once however long the ledger is.

Entries are numbered in the order in which they come, so halving the numbers finds a moment's place
(`entries_until` in the database). By their time alone they are found by reading the ledger.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import (
    BigIntegerField,
    DateTimeField,
    ExpressionWrapper,
    Func,
    QuerySet,
    Value,
)

from wallet.models import Entry

#: Two processes that write to one ledger have two clocks: by so much an entry may be out of order.
_APART: Final = timedelta(minutes=1)


def between(
    entries: QuerySet[Entry],
    *,
    account_id: UUID,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Entry]:
    """Return those of an account's entries that came from `since` on and before `until`."""
    if since is not None:
        first = _place(account_id, since, -_APART)
        entries = entries.filter(created_at__gte=since, sequence__gt=first)
    if until is not None:
        last = _place(account_id, until, _APART)
        entries = entries.filter(created_at__lt=until, sequence__lte=last)
    return entries


def _place(account_id: UUID, moment: datetime, apart: timedelta) -> Func:
    # The database adds: it knows years beyond Python's.
    at = ExpressionWrapper(Value(moment) + Value(apart), output_field=DateTimeField())
    return Func(
        Value(account_id),
        at,
        # As a query of its own it is asked once, whichever plan is taken, and not for each entry.
        template="(SELECT entries_until(%(expressions)s))",
        output_field=BigIntegerField(),
    )
