"""What cards paid and got back in a period: by kind, by tax rate, in dollars and rials.

Each movement of money has a moment of its own, written when it was recorded here and never changed:
a payment that is refunded next month stays in this one, and the refund is in the next. So a month
that has ended is the same whenever it is asked for.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Final

from django.db import connection

from invoices.models import Purpose


class Movement(Enum):
    """Which way money went, and why."""

    PAID = "paid"
    REFUNDED = "refunded"
    #: The bank could not give it to the card: it came back to us.
    REFUND_RETURNED = "refund_returned"
    DISPUTED = "disputed"
    DISPUTE_RETURNED = "dispute_returned"
    #: What the bank decided, and no movement: the money went when the dispute was opened.
    DISPUTE_LOST = "dispute_lost"


#: What a bank has decided moves nothing.
_MOVING: Final = tuple(one for one in Movement if one is not Movement.DISPUTE_LOST)
REFUNDS: Final = (Movement.REFUNDED, Movement.REFUND_RETURNED)
DISPUTES: Final = (Movement.DISPUTED, Movement.DISPUTE_RETURNED)


@dataclass(frozen=True)
class Sum:
    """So many movements: `amount` with `tax` in it (USD) and what the card saw of it (OMR).

    Positive is what we got.
    """

    count: int = 0
    amount: Decimal = Decimal("0.00")
    tax: Decimal = Decimal("0.00")
    charged: Decimal = Decimal("0.000")

    @property
    def net(self) -> Decimal:
        """Without tax (USD)."""
        return self.amount - self.tax

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(
            self.count + other.count,
            self.amount + other.amount,
            self.tax + other.tax,
            self.charged + other.charged,
        )


@dataclass(frozen=True)
class _Part:
    movement: Movement
    purpose: Purpose
    tax_rate: Decimal
    sum: Sum


@dataclass(frozen=True)
class Payments:
    """All movements of money in a period."""

    parts: tuple[_Part, ...]

    def of(self, *movements: Movement, purpose: Purpose | None = None) -> Sum:
        """Return what these movements come to, of one kind of payment or of all."""
        return self._add_up(
            movements or _MOVING, lambda part: purpose is None or part.purpose == purpose
        )

    def at_rate(self, rate: Decimal, *movements: Movement) -> Sum:
        """Return what these movements of payments with this tax rate come to."""
        return self._add_up(movements or _MOVING, lambda part: part.tax_rate == rate)

    @property
    def tax_rates(self) -> list[Decimal]:
        """The rates (percent) that payments of these movements had, lowest first."""
        return sorted({part.tax_rate for part in self.parts if part.movement in _MOVING})

    def _add_up(self, movements: Iterable[Movement], asked: Callable[[_Part], bool]) -> Sum:
        wanted = set(movements)
        found = (part.sum for part in self.parts if part.movement in wanted and asked(part))
        return sum(found, Sum())


_TAKEN_BACK = """
SELECT '{movement}', payment.purpose, payment.tax_rate, count(*), {sign}sum(part.amount),
       {sign}sum(part.tax_amount), {sign}sum(part.charged_amount)
FROM {table} AS part JOIN invoices_transaction AS payment ON payment.id = part.transaction_id
WHERE {moment} >= %(since)s AND {moment} < %(until)s {condition}
GROUP BY payment.purpose, payment.tax_rate
"""

_PAYMENTS: Final = " UNION ALL ".join(
    [
        """
        SELECT 'paid', purpose, tax_rate, count(*), sum(amount), sum(tax_amount),
               sum(charged_amount)
        FROM invoices_transaction WHERE paid_at >= %(since)s AND paid_at < %(until)s
        GROUP BY purpose, tax_rate
        """,
        *(
            _TAKEN_BACK.format(
                movement=movement, sign=sign, table=table, moment=moment, condition=condition
            )
            for movement, sign, table, moment, condition in (
                ("refunded", "-", "invoices_refund", "part.succeeded_at", ""),
                (
                    "refund_returned",
                    "",
                    "invoices_refund",
                    "part.failed_at",
                    "AND part.succeeded_at IS NOT NULL",
                ),
                ("disputed", "-", "invoices_dispute", "part.taken_at", ""),
                ("dispute_returned", "", "invoices_dispute", "part.returned_at", ""),
                (
                    "dispute_lost",
                    "-",
                    "invoices_dispute",
                    "part.closed_at",
                    # One that is won later was lost then: it keeps the moment of its closing.
                    "AND part.taken_at IS NOT NULL"
                    " AND part.returned_at IS DISTINCT FROM part.closed_at",
                ),
            )
        ),
    ]
)


def payments(*, since: datetime, until: datetime) -> Payments:
    """Return what moved from `since` on and before `until`. One statement, one moment."""
    with connection.cursor() as cursor:
        cursor.execute(_PAYMENTS, {"since": since, "until": until})
        return Payments(
            tuple(
                _Part(Movement(movement), Purpose(purpose), rate, Sum(count, amount, tax, charged))
                for movement, purpose, rate, count, amount, tax, charged in cursor.fetchall()
            )
        )
