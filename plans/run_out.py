"""How long a balance lasts when a plan includes some of what is used: pure arithmetic.

The pace of a balance is that of the last 14 days, in units of each consumable a day, whoever paid
for them: neither top-ups nor days that an allowance covered distort it. What is left of an
allowance is used first and costs nothing; what goes beyond it costs the plan's price; at each
renewal the allowances are whole again. An allowance is projected by the
pace of its own period. All amounts are USD.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from plans.daily_spend import DaySum
from plans.models import Allowance, FeaturePrice, Renewal

#: The days whose usage makes the pace: today, which is not over, is not among them.
WINDOW = timedelta(days=14)
#: Less than this says nothing about a pace.
SHORTEST = timedelta(days=2)
#: Nobody plans further ahead than this many days.
HORIZON = 366
_DAY = Decimal(86_400)


@dataclass(frozen=True, slots=True)
class Draw:
    """What is used of one consumable: `per_day` units, `remaining` of `included` still free."""

    per_day: Decimal
    remaining: Decimal
    included: Decimal
    unit_price: Decimal


def days_of(span: timedelta) -> Decimal:
    """A span in days."""
    return Decimal(span // timedelta(seconds=1)) / _DAY


def pace(*, allowance: Allowance, renewal: Renewal, now: datetime) -> Decimal | None:
    """Return how much of a consumable is used a day in this period; None when it is too new."""
    elapsed = min(now, renewal.period_end) - renewal.period_start
    if elapsed < SHORTEST:
        return None
    return (allowance.used + allowance.billed_quantity) / days_of(elapsed)


def projected(*, allowance: Allowance, renewal: Renewal, now: datetime) -> Decimal | None:
    """Return how much will be used by the period's end at its pace; None when it is too new."""
    per_day = pace(allowance=allowance, renewal=renewal, now=now)
    if per_day is None:
        return None
    return per_day * days_of(renewal.period_end - renewal.period_start)


def draws(
    *,
    prices: Iterable[FeaturePrice],
    allowances: Mapping[int, Allowance],
    is_granted: bool,
    used: Sequence[DaySum],
    today: date,
) -> list[Draw]:
    """Return what is drawn of each consumable a day, by the plan's prices; none when too new.

    `used` are the sums by feature of the WINDOW days before `today`; they are shared out over the
    days since the first of them. `is_granted` says whether the period's allowances are.
    """
    days = (today - min((row.day for row in used), default=today)).days
    if days < SHORTEST.days:
        return []
    quantities: dict[str, Decimal] = {}
    for row in used:
        quantities[row.name] = quantities.get(row.name, Decimal(0)) + row.quantity
    found = []
    for price in prices:
        quantity = quantities.get(price.feature.name)
        if not quantity:
            continue
        included = price.included_quantity or Decimal(0)
        allowance = allowances.get(price.feature_id)
        remaining = included if is_granted else Decimal(0)
        if allowance is not None:
            remaining = allowance.included - allowance.used
        found.append(Draw(quantity / days, remaining, included, price.unit_price.amount))
    return found


def days_left(
    *, balance: Decimal, draws: Sequence[Draw], until_renewal: timedelta, period: timedelta
) -> int:
    """Return for how many whole days the balance lasts: HORIZON when it is as many or more.

    One below zero lasts no day: services are paused, whatever the plan still includes.
    """
    if balance < 0:
        return 0
    passed, length, left = Decimal(0), max(Decimal(0), days_of(until_renewal)), balance
    free = [draw.remaining for draw in draws]
    while passed < HORIZON:
        begins = sorted(
            (min(free[n] / draw.per_day, length), draw.per_day * draw.unit_price)
            for n, draw in enumerate(draws)
        )
        rate, at = Decimal(0), Decimal(0)
        for begin, cost in [*begins, (length, Decimal(0))]:
            if left < rate * (begin - at):
                return min(HORIZON, int(passed + at + left / rate))
            left -= rate * (begin - at)
            at, rate = begin, rate + cost
        passed, length = passed + length, days_of(period)
        free = [draw.included for draw in draws]
    return HORIZON
