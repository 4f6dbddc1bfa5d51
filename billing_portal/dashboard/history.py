"""Billing History: filters, pages that do not shift while new lines arrive, one line in full."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Account
from accounts.money import format_unit_price, format_usd
from accounts.quantities import write_quantity
from billing_portal.dashboard.cursors import page_of
from billing_portal.dashboard.forms import HistoryFilterForm
from billing_portal.dashboard.reversals import dispute_rows, refund_rows
from billing_portal.dashboard.rows import (
    Fact,
    TransactionRow,
    is_expired,
    transaction_row,
    transaction_rows,
)
from billing_portal.dashboard.times import moment, write_period
from invoices.models import Line, Purpose, Status, Transaction
from plans import past_due

PAGE_SIZE = 25


@dataclass(frozen=True)
class History:
    """One page of Billing History."""

    rows: tuple[TransactionRow, ...]
    is_filtered: bool
    note: str
    clear_href: str
    export_href: str
    has_previous: bool
    has_next: bool
    previous_href: str
    next_href: str


@dataclass(frozen=True)
class LineRow:
    """One line of a transaction."""

    description: str
    period: str
    arithmetic: str
    amount: str


def filter_transactions(account: Account, filters: Mapping[str, Any]) -> QuerySet[Transaction]:
    """Return the account's transactions that match; days are the account's own."""
    found = Transaction.objects.filter(account=account)
    if filters.get("status"):
        found = found.filter(status=filters["status"])
    if filters.get("kind"):
        found = found.filter(purpose=filters["kind"])
    if filters.get("date_from"):
        found = found.filter(created_at__gte=_midnight(account, filters["date_from"]))
    if filters.get("date_to"):
        after = filters["date_to"] + timedelta(days=1)
        found = found.filter(created_at__lt=_midnight(account, after))
    return found


def build_history(
    *,
    account: Account,
    form: HistoryFilterForm,
    before: str = "",
    after: str = "",
    now: datetime,
    may_act: bool,
) -> History:
    """Compose the page older than cursor `before`, or newer than `after`; else the newest one.

    A cursor is the place between two lines, so lines that arrive meanwhile shift nothing.
    """
    form.is_valid()
    filters = {name: value for name, value in form.cleaned_data.items() if value}
    found = filter_transactions(account, filters).prefetch_related("lines", "disputes", "refunds")
    query = {name: str(value) for name, value in filters.items()}
    here = reverse("billing-history")
    export = reverse("billing-history-export")
    page = page_of(found, before=before, after=after, size=PAGE_SIZE, here=here, query=query)
    return History(
        rows=transaction_rows(
            page.rows, zone=account.timezone, now=now, may_act=may_act, with_credit_notes=True
        ),
        is_filtered=bool(query),
        note=_note(len(page.rows)),
        clear_href=here if query and page.rows else "",
        export_href=f"{export}?{urlencode(query)}" if query else export,
        has_previous=page.has_previous,
        has_next=page.has_next,
        previous_href=page.previous_href,
        next_href=page.next_href,
    )


def line_rows(account: Account, lines: list[Line]) -> tuple[LineRow, ...]:
    """Write the lines of a transaction."""
    return tuple(
        LineRow(
            description=line.description,
            period=(
                write_period(line.period_start, line.period_end, account.timezone)
                if line.period_start and line.period_end
                else ""
            ),
            arithmetic=(
                f"{write_quantity(line.quantity, line.unit).strip()} at "
                f"{format_unit_price(line.unit_price.amount)}"
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
    lines = list(transaction.lines.all())
    taxes = [line for line in lines if line.is_tax]
    facts = [Fact("Number", transaction.number)]
    if transaction.receipt_number:
        facts.append(Fact("Receipt", transaction.receipt_number))
    facts.append(Fact("Opened", moment(transaction.created_at, zone).short))
    if transaction.paid_at:
        facts.append(Fact("Paid", moment(transaction.paid_at, zone).short))
    elif transaction.can_be_confirmed(now) and transaction.confirmable_until:
        until = moment(transaction.confirmable_until, zone).short
        facts.append(Fact("Can be confirmed until", until))
    elif transaction.failed_at:
        facts.append(Fact("Failed", moment(transaction.failed_at, zone).short))
    elif transaction.expired_at:
        facts.append(Fact("Expired", moment(transaction.expired_at, zone).short))
    elif transaction.status == Status.CHECKOUT and transaction.expires_at:
        facts.append(Fact("Can be paid until", moment(transaction.expires_at, zone).short))
    if transaction.refunded_amount.amount > 0:
        facts.append(Fact("Refunded", format_usd(transaction.refunded_amount.amount)))
    return {
        "row": transaction_row(transaction, zone=zone, now=now, may_act=may_act),
        "lines": line_rows(account, [line for line in lines if not line.is_tax]),
        "tax": [
            Fact("Net", format_usd(transaction.net_amount.amount)),
            *(Fact(line.description, format_usd(line.amount.amount)) for line in taxes),
        ]
        if taxes
        else [],
        "facts": facts,
        "rate": f"{transaction.exchange_rate.normalize():f}",
        "refunds": refund_rows(transaction, zone=zone),
        "disputes": dispute_rows(transaction, zone=zone),
        "explanation": explain(transaction, now=now),
        # Also of an expired page: the bank may have taken the money in its last second.
        "check_href": (
            reverse("billing-history-check", args=[transaction.number])
            if transaction.is_open
            else ""
        ),
        "pay_now_href": (
            reverse("renewal-pay-now") if may_act and _is_still_unpaid(transaction) else ""
        ),
    }


def _is_still_unpaid(transaction: Transaction) -> bool:
    """Whether this failed renewal's period is what Pay now would charge."""
    if (transaction.purpose, transaction.status) != (Purpose.RENEWAL, Status.FAILED):
        return False
    unpaid = past_due.unpaid(account=transaction.account)
    return unpaid is not None and unpaid.pk == transaction.subject_id


def explain(transaction: Transaction, *, now: datetime) -> str:
    """Say in a sentence where the payment stands and what comes next."""
    if transaction.can_be_confirmed(now):
        return (
            f"{transaction.failure_message or 'Your bank wants you to confirm this payment.'} "
            "Nothing was charged so far. Confirm it, and this same payment is completed."
        )
    if transaction.status == Status.FAILED:
        reason = transaction.failure_message or "The payment was not completed."
        again = {
            Purpose.RENEWAL: " It is tried again by itself, and at once with a new default card.",
            Purpose.AUTO_REFILL: " Auto-Refill tries again later, or after you change the card.",
        }.get(Purpose(transaction.purpose), "")
        return f"{reason} Nothing was charged.{again}"
    if transaction.status == Status.PROCESSING:
        return "The bank has not answered yet. This page shows the outcome as soon as it does."
    if transaction.status == Status.CHECKOUT:
        if is_expired(transaction, now=now):
            return "The payment page was opened and not paid. It has expired; nothing was charged."
        return "The payment page was opened and is not paid yet. Nothing was charged so far."
    return ""


def _note(shown: int) -> str:
    """Say how many lines are shown, also to whom the page is read aloud."""
    if not shown:
        return _("No payment matches.")
    return ngettext(
        "%(count)d payment shown.", "%(count)d payments shown, newest first.", shown
    ) % {"count": shown}


def _midnight(account: Account, day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=account.timezone)
