"""The month-end report: what was sold and collected, what we owe customers, and that it adds up.

Months are those of UTC. What is in a month is decided by when it was recorded: a payment by when it
was paid, a refund by when it succeeded, usage by when it was deducted (`created_at` of its entry),
however late it was reported. None of these moments ever changes, so a closed month doesn't, either.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import connection

from invoices import month_payments
from invoices.models import Purpose, Transaction
from invoices.month_payments import Movement, Payments
from wallet import roll_forward, statements
from wallet.models import Entry
from wallet.roll_forward import RollForward
from wallet.statements import Month

#: Payments that buy credit, and nothing else.
CREDIT_PURPOSES: Final = (Purpose.TOP_UP, Purpose.AUTO_REFILL)

#: What was being written at midnight is written by then.
_CLOSES_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True)
class MonthEnd:
    """A month's books, until `until`. `credited` is the credit that its payments bought (USD)."""

    month: Month
    until: datetime
    is_closed: bool
    payments: Payments
    credited: dict[Purpose, Decimal]
    credit: RollForward

    @property
    def uncredited(self) -> dict[Purpose, Decimal]:
        """Payments for credit that did not become as much credit: what is missing (USD)."""
        missing = {
            purpose: self.payments.of(Movement.PAID, purpose=purpose).net - self.credited[purpose]
            for purpose in CREDIT_PURPOSES
        }
        return {purpose: amount for purpose, amount in missing.items() if amount}

    @property
    def adds_up(self) -> bool:
        """Whether every check of it holds."""
        return self.credit.adds_up and not self.uncredited


def month_end(*, month: Month, now: datetime) -> MonthEnd:
    """Return a month's books; of one that is not over, as they are `now`."""
    until = min(month.ends, now)
    return MonthEnd(
        month=month,
        until=until,
        is_closed=month.ends + _CLOSES_AFTER <= now,
        payments=month_payments.payments(since=month.starts, until=until),
        credited=_credited(since=month.starts, until=until),
        credit=roll_forward.roll_forward(since=month.starts, until=until),
    )


def month_of(first_day: date) -> Month:
    """Return the month of UTC that a day is in."""
    return statements.month_of(first_day, timezone=UTC)


def months(*, now: datetime) -> list[Month]:
    """Return the months there are books of, newest first: since the first entry or payment."""
    firsts = [
        Entry.objects.order_by("pk").values_list("created_at", flat=True).first(),
        Transaction.objects.order_by("pk").values_list("created_at", flat=True).first(),
    ]
    oldest = [first for first in firsts if first is not None]
    month = month_of(now.astimezone(UTC).date())
    first = month_of(min(oldest, default=now).astimezone(UTC).date())
    found = [month]
    while month.starts > first.starts:
        month = month_of(month.first_day - timedelta(days=1))
        found.append(month)
    return found


_CREDITED: Final = """
SELECT payment.purpose, sum(entry.amount)
FROM invoices_transaction AS payment
JOIN wallet_entry AS entry
  ON entry.transaction_id = payment.id AND entry.kind IN ('top_up', 'auto_refill')
WHERE payment.paid_at >= %(since)s AND payment.paid_at < %(until)s
GROUP BY payment.purpose
"""


def _credited(*, since: datetime, until: datetime) -> dict[Purpose, Decimal]:
    with connection.cursor() as cursor:
        cursor.execute(_CREDITED, {"since": since, "until": until})
        found = {Purpose(purpose): amount for purpose, amount in cursor.fetchall()}
    return {purpose: found.get(purpose, Decimal("0.000000")) for purpose in Purpose}
