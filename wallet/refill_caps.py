"""How much auto-refill may charge: so often a day, and up to what the customer allows in a month.

A month is a calendar month in the account's timezone. What counts is what cards were charged, tax
included, by refills that are paid or still open. All amounts are USD.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import (
    Count,
    F,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, JSONObject
from django.utils.translation import gettext_noop

from accounts import outbox
from accounts.models import Account, AuditEvent
from accounts.money import format_usd
from accounts.recorded_words import Sentence
from invoices import charging
from invoices.models import Purpose, Status, Transaction
from wallet import statements
from wallet.models import AutoRefill, Wallet
from wallet.statements import Month

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


@dataclass(frozen=True, slots=True)
class Charges:
    """What refills have charged or may still charge: how often in 24 hours, how much this month.

    `under_way` is the credit, net, of those whose outcome is not known yet.
    """

    in_a_day: int
    this_month: Decimal
    under_way: Decimal


def charges_of(*, account: Account, now: datetime) -> Charges:
    """Read what the account's refills have charged."""
    found = _refills(account).aggregate(**_totals(account, now))
    return _charges(found)


def with_charges(wallets: QuerySet[Wallet], *, account: Account, now: datetime) -> QuerySet[Wallet]:
    """Read what the account's refills have charged together with its wallet: `charges_with`."""
    totals = {name: Cast(total, TextField()) for name, total in _totals(account, now).items()}
    charged = (
        _refills(account)
        .filter(account=OuterRef("account"))
        .order_by()
        .values("account")
        .annotate(charged=JSONObject(**totals))
    )
    return wallets.annotate(charged=Subquery(charged.values("charged"), output_field=JSONField()))


def charges_with(wallet: Wallet) -> Charges:
    """Return what `with_charges` read together with the wallet."""
    charged: Mapping[str, Any] | None = wallet.charged  # type: ignore[attr-defined]
    return _charges(charged or {})


def _totals(account: Account, now: datetime) -> dict[str, Combinable]:
    start = month_of(account=account, now=now).starts
    return {
        "in_a_day": Count("pk", filter=Q(created_at__gt=now - _DAY)),
        "this_month": Sum("amount", filter=Q(created_at__gte=start)),
        "under_way": Sum(F("amount") - F("tax_amount"), filter=Q(status=Status.PROCESSING)),
    }


def _charges(found: Mapping[str, Any]) -> Charges:
    return Charges(
        in_a_day=int(found.get("in_a_day") or 0),
        this_month=Decimal(found.get("this_month") or 0),
        under_way=Decimal(found.get("under_way") or 0),
    )


def refills_allowed(
    *, account: Account, charges: Charges, amount: Decimal, monthly_maximum: Decimal | None
) -> int:
    """Return how many more refills of `amount` USD, net, the caps allow after `charges`."""
    allowed = MAXIMUM_PER_DAY - charges.in_a_day
    if monthly_maximum is not None:
        left = monthly_maximum - charges.this_month
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
    spent = charges_of(account=account, now=now).this_month
    price = charging.quote(refill.amount.amount, account=account)
    if spent + price.amount <= maximum:
        return None
    month = month_of(account=account, now=now)
    return Cap(
        # Raised and reached again in the same month, it is told again.
        key=f"{account.pk}:{month.first_day}:{maximum}",
        reason=CHARGED_MUCH.write(
            spent=format_usd(spent), next=format_usd(price.amount), maximum=format_usd(maximum)
        ),
        until=month.ends,
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


def month_of(*, account: Account, now: datetime) -> Month:
    """Return the account's calendar month at `now`."""
    today = now.astimezone(account.timezone).date()
    return statements.month_of(today, timezone=account.timezone)


def _refills(account: Account) -> QuerySet[Transaction]:
    """The refills that are paid, or may still be."""
    return Transaction.objects.filter(
        account=account,
        purpose=Purpose.AUTO_REFILL,
        status__in=(Status.PAID, Status.PROCESSING),
    )


def _last_day(account: Account, now: datetime) -> QuerySet[Transaction]:
    return _refills(account).filter(created_at__gt=now - _DAY)
