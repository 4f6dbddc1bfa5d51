"""How long the balance lasts at the pace of the last days."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Min, Sum

from accounts.money import to_cents
from wallet.models import Entry, EntryKind, Wallet

#: The days whose usage makes the pace.
WINDOW = timedelta(days=14)
#: Less usage than this says nothing about the pace.
SHORTEST_HISTORY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Forecast:
    """`per_day` is USD; `days` is how long the balance lasts, 0 when it is used up."""

    per_day: Decimal
    days: int


def run_out(*, wallet: Wallet, now: datetime) -> Forecast | None:
    """Return how long the balance lasts, or None when there is too little usage to tell.

    Only deductions count, so top-ups do not distort the pace; nor do the days before the first
    deduction of the window, on which everything was covered by the allowance.
    """
    usage = Entry.objects.filter(
        account_id=wallet.account_id,
        kind=EntryKind.USAGE,
        created_at__gt=now - WINDOW,
        created_at__lte=now,
    ).aggregate(total=Sum("amount"), first=Min("created_at"))
    if not usage["total"] or now - usage["first"] < SHORTEST_HISTORY:
        return None
    seconds = (now - usage["first"]) // timedelta(seconds=1)
    per_day = to_cents(-usage["total"] * 86_400 / seconds)
    if not per_day:
        return None
    return Forecast(per_day=per_day, days=max(0, int(wallet.balance / per_day)))
