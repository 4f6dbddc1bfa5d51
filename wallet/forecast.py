"""How long the balance lasts at the pace of the last days."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from accounts.money import to_cents
from wallet.models import Wallet

#: The days whose usage makes the pace.
WINDOW = timedelta(days=14)
#: Less usage than this says nothing about the pace.
SHORTEST_HISTORY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Forecast:
    """`per_day` is USD; `days` is how long the balance lasts, 0 when it is used up."""

    per_day: Decimal
    days: int


#: What usage took is how far the balance fell, without what else moved it: two entries and the few
#: that are no usage are read, however much was used.
_USED = """
WITH ledger AS (
    SELECT %(account)s::uuid AS account_id, entries_until(%(account)s, %(start)s) AS after,
           entries_until(%(account)s, %(now)s) AS until)
SELECT coalesce(before.balance_after, 0) - coalesce(last.balance_after, 0) + other.amount,
       first.created_at
FROM ledger
LEFT JOIN wallet_entry AS before
    ON before.account_id = ledger.account_id AND before.sequence = ledger.after
LEFT JOIN wallet_entry AS last
    ON last.account_id = ledger.account_id AND last.sequence = ledger.until
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount), 0) AS amount FROM wallet_entry
    WHERE account_id = ledger.account_id AND kind <> 'usage'
      AND sequence > ledger.after AND sequence <= ledger.until) AS other
LEFT JOIN LATERAL (
    SELECT created_at FROM wallet_entry
    WHERE account_id = ledger.account_id AND kind = 'usage'
      AND sequence > ledger.after AND sequence <= ledger.until
    ORDER BY sequence LIMIT 1) AS first ON true
"""


def run_out(*, wallet: Wallet, now: datetime) -> Forecast | None:
    """Return how long the balance lasts, or None when there is too little usage to tell.

    Only deductions count, so top-ups do not distort the pace; nor do the days before the first
    deduction of the window, on which everything was covered by the allowance.
    """
    with connection.cursor() as cursor:
        cursor.execute(_USED, {"account": wallet.account_id, "start": now - WINDOW, "now": now})
        used, first = cursor.fetchone() or (Decimal(0), None)
    if first is None or now - first < SHORTEST_HISTORY:
        return None
    seconds = (now - first) // timedelta(seconds=1)
    per_day = to_cents(used * 86_400 / seconds)
    if not per_day:
        return None
    return Forecast(per_day=per_day, days=max(0, int(wallet.balance / per_day)))
