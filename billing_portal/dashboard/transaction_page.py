"""The page of one payment: what it is for, where it stands, what there is to do, its story."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import prefetch_related_objects
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Account
from accounts.money import format_unit_price, format_usd
from accounts.quantities import write_quantity
from accounts.recorded_words import translated
from billing_portal.dashboard.reversals import dispute_rows, refund_rows
from billing_portal.dashboard.rows import Fact, is_expired, reason_of, transaction_row
from billing_portal.dashboard.timeline import build_timeline
from billing_portal.dashboard.times import write_period
from billing_portal.dashboard.unpaid_renewal import is_to_be_paid
from invoices.models import Line, Purpose, Status, Transaction


@dataclass(frozen=True)
class LineRow:
    """One line of a transaction."""

    description: str
    period: str
    arithmetic: str
    amount: str


def line_rows(account: Account, lines: list[Line]) -> tuple[LineRow, ...]:
    """Write the lines of a transaction."""
    return tuple(
        LineRow(
            description=translated(line.description),
            period=(
                write_period(line.period_start, line.period_end, account.timezone)
                if line.period_start and line.period_end
                else ""
            ),
            arithmetic=(
                _("%(quantity)s at %(price)s")
                % {
                    "quantity": write_quantity(line.quantity, line.unit).strip(),
                    "price": format_unit_price(line.unit_price.amount),
                }
                if line.quantity != 1 or line.unit
                else ""
            ),
            amount=format_usd(line.amount.amount),
        )
        for line in lines
    )


def build_detail(
    transaction: Transaction, *, account: Account, now: datetime, may_act: bool
) -> dict[str, Any]:
    """Compose the page of one transaction."""
    zone = account.timezone
    prefetch_related_objects([transaction], "lines", "refunds", "disputes")
    lines = list(transaction.lines.all())
    taxes = [line for line in lines if line.is_tax]
    facts = [Fact(_("Number"), transaction.number)]
    if transaction.receipt_number:
        facts.append(Fact(_("Receipt"), transaction.receipt_number))
    if transaction.refunded_amount.amount > 0:
        facts.append(Fact(_("Refunded"), format_usd(transaction.refunded_amount.amount)))
    return {
        "row": transaction_row(transaction, zone=zone, now=now, may_act=may_act),
        "lines": line_rows(account, [line for line in lines if not line.is_tax]),
        "tax": [
            Fact(_("Net"), format_usd(transaction.net_amount.amount)),
            *(Fact(translated(line.description), format_usd(line.amount.amount)) for line in taxes),
        ]
        if taxes
        else [],
        "facts": facts,
        "rate": f"{transaction.exchange_rate.normalize():f}",
        "refunds": refund_rows(transaction, zone=zone),
        "disputes": dispute_rows(transaction),
        "timeline": build_timeline(transaction, zone=zone, now=now),
        "explanation": explain(transaction, now=now),
        # Also of an expired page: the bank may have taken the money in its last second.
        "check_href": (
            reverse("billing-history-check", args=[transaction.number])
            if transaction.is_open
            else ""
        ),
        "pay_now_href": (
            reverse("renewal-pay-now") if may_act and is_to_be_paid(transaction) else ""
        ),
    }


def explain(transaction: Transaction, *, now: datetime) -> str:
    """Say in a sentence where the payment stands and what comes next."""
    if transaction.can_be_confirmed(now):
        return _(
            "%(reason)s Nothing was charged so far. Confirm it, and this same payment is completed."
        ) % {
            "reason": reason_of(transaction)
            if transaction.failure_message
            else _("Your bank wants you to confirm this payment.")
        }
    if transaction.status == Status.FAILED:
        reason = {"reason": reason_of(transaction)}
        if transaction.purpose == Purpose.RENEWAL:
            return (
                _(
                    "%(reason)s Nothing was charged. It is tried again by itself, and at once with "
                    "a new default card."
                )
                % reason
            )
        if transaction.purpose == Purpose.AUTO_REFILL:
            return (
                _(
                    "%(reason)s Nothing was charged. Auto-Refill tries again later, or after you "
                    "change the card."
                )
                % reason
            )
        return _("%(reason)s Nothing was charged.") % reason
    if transaction.status == Status.PROCESSING:
        return _("The bank has not answered yet. This page shows the outcome as soon as it does.")
    if transaction.status == Status.CHECKOUT:
        if is_expired(transaction, now=now):
            return _(
                "The payment page was opened and not paid. It has expired; nothing was charged."
            )
        return _("The payment page was opened and is not paid yet. Nothing was charged so far.")
    return ""
