"""How much auto-refill may charge: so often a day, and up to what the customer allows in a month.

A month is a calendar month in the account's timezone. What counts is what cards were charged, tax
included, by refills that are paid or still open. All amounts are USD.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext_noop

from accounts import outbox
from accounts.models import Account, AuditEvent
from accounts.money import format_usd
from accounts.recorded_words import Sentence
from invoices import charging
from invoices.models import Purpose, Status, Transaction
from wallet.models import AutoRefill

#: No more refills than this in 24 hours, whatever is used.
MAXIMUM_PER_DAY = 5
_DAY = timedelta(days=1)

REFILLED_OFTEN = Sentence(
    gettext_noop("It has topped up %(times)s times in 24 hours, the most it may.")
)
CHARGED_MUCH = Sentence(
    gettext_noop(
        "It has charged %(spent)s this month; another %(next)s would exceed your Monthly Maximum "
        "of %(maximum)s."
    )
)


@dataclass(frozen=True, slots=True)
class Cap:
    """A cap that is reached: since which refill or month, why, and when it allows the next one."""

    key: str
    reason: str
    until: datetime


def refills_allowed(
    *, account: Account, amount: Decimal, monthly_maximum: Decimal | None, now: datetime
) -> int:
    """Return how many more refills of `amount` USD, net, the caps allow at `now`."""
    allowed = MAXIMUM_PER_DAY - _last_day(account, now).count()
    if monthly_maximum is not None:
        left = monthly_maximum - charged_this_month(account=account, now=now)
        allowed = min(allowed, int(left // charging.quote(amount, account=account).amount))
    return max(allowed, 0)


def reached(*, account: Account, refill: AutoRefill, now: datetime) -> Cap | None:
    """Return the cap that forbids another refill at `now`, or None."""
    today = _last_day(account, now).order_by("created_at", "pk")
    if len(today) >= MAXIMUM_PER_DAY:
        # Once this one is a day old, fewer than the maximum are left.
        decisive = today[len(today) - MAXIMUM_PER_DAY]
        return Cap(
            key=decisive.number,
            reason=REFILLED_OFTEN.write(times=MAXIMUM_PER_DAY),
            until=decisive.created_at + _DAY,
        )
    if refill.monthly_maximum is None:
        return None
    maximum = refill.monthly_maximum
    spent = charged_this_month(account=account, now=now)
    price = charging.quote(refill.amount.amount, account=account)
    if spent + price.amount <= maximum:
        return None
    start, end = month_of(account=account, now=now)
    return Cap(
        # Raised and reached again in the same month, it is told again.
        key=f"{account.pk}:{start:%Y-%m-%d}:{maximum}",
        reason=CHARGED_MUCH.write(
            spent=format_usd(spent), next=format_usd(price.amount), maximum=format_usd(maximum)
        ),
        until=end,
    )


def tell(*, account: Account, refill: AutoRefill, cap: Cap, now: datetime) -> None:
    """Wait until the cap allows the next refill, and say so once. `refill` is locked."""
    refill.capped_until = cap.until
    refill.save(update_fields=["capped_until"])
    outbox.record_email(
        account=account,
        event="auto_refill_capped",
        key=f"auto_refill_capped:{cap.key}",
        context={
            "reason": cap.reason,
            "next_attempt_at": cap.until.isoformat(),
            "path": "/billing/#auto-refill",
        },
        now=now,
    )
    AuditEvent.objects.create(
        account=account,
        action="auto_refill_cap_reached",
        reason=cap.reason,
        details={"until": cap.until.isoformat()},
        created_at=now,
    )


def charged_this_month(*, account: Account, now: datetime) -> Decimal:
    """Return what refills of this month have charged or may still charge, tax included (USD)."""
    start, _ = month_of(account=account, now=now)
    charged = _refills(account).filter(created_at__gte=start)
    total: Decimal | None = charged.aggregate(total=Sum("amount"))["total"]
    return total or Decimal(0)


def month_of(*, account: Account, now: datetime) -> tuple[datetime, datetime]:
    """Return the beginning of the account's calendar month at `now`, and of the next one."""
    local = now.astimezone(account.timezone)
    start = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    year, month = (local.year, local.month + 1) if local.month < 12 else (local.year + 1, 1)
    return start, start.replace(year=year, month=month)


def _refills(account: Account) -> QuerySet[Transaction]:
    """The refills that are paid, or may still be."""
    return Transaction.objects.filter(
        account=account,
        purpose=Purpose.AUTO_REFILL,
        status__in=(Status.PAID, Status.PROCESSING),
    )


def _last_day(account: Account, now: datetime) -> QuerySet[Transaction]:
    return _refills(account).filter(created_at__gt=now - _DAY)
