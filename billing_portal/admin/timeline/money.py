"""The sources of the timeline about money: payments, what went back, credit, and usage."""

from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlencode

from django.db.models import Q

from accounts.models import Account, card_in_words
from accounts.money import format_omr, format_quantity, format_usd
from accounts.quantities import write_quantity
from billing_portal.admin.cells import list_url, page_url, said, when
from billing_portal.admin.timeline.lines import Found, Kind, Line, Place, Span
from invoices.models import Dispute, Purpose, Refund, RefundStatus, Status, Transaction
from plans import usage_hours
from plans.models import UsageRecord
from plans.usage_hours import UsageHour
from wallet.models import Entry, EntryKind

#: Of lines of one moment the later source is the newer: what is paid becomes credit.
_USAGE, _PAYMENTS, _REFUNDS, _DISPUTES, _ENTRIES = range(5)
#: Nothing was recorded before or will be after these.
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
#: A payment that took longer says when it was settled.
_AT_ONCE = timedelta(minutes=1)
_TONES = {Status.PAID: "success", Status.FAILED: "danger"}
_OPENED_BY = {Purpose.AUTO_REFILL: "Auto-Refill", Purpose.RENEWAL: "the renewal"}


def payments(account: Account, span: Span) -> list[Found]:
    """Each attempt to move real money, and what became of it."""
    found = Transaction.objects.filter(span.of("created_at", _PAYMENTS), account=account)
    newest = found.select_related("opened_by").order_by("-created_at", "-pk")[: span.most]
    return [
        Found(Place(one.created_at, _PAYMENTS, one.pk), partial(_payment, one)) for one in newest
    ]


def _payment(transaction: Transaction) -> Line:
    status = "expired" if transaction.is_expired else said(transaction, "status").lower()
    card = card_in_words(transaction.card_brand, transaction.card_last4)
    settled = transaction.paid_at or transaction.failed_at
    is_late = settled is not None and settled - transaction.created_at > _AT_ONCE
    notes = [
        transaction.failure_message if transaction.status != Status.PAID else "",
        f"{format_omr(transaction.charged_amount.amount)} {f'to {card}' if card else ''}".strip(),
        f"settled {when(settled)}" if is_late else "",
        f"receipt {transaction.receipt_number}" if transaction.receipt_number else "",
        f"{format_usd(transaction.refunded_amount.amount)} of it refunded"
        if transaction.refunded_amount.amount
        else "",
    ]
    by = transaction.opened_by
    return Line(
        kind=Kind.PAYMENTS,
        title=f"{said(transaction, 'purpose')} {transaction.number}: {status}",
        note=_joined(notes),
        amount=transaction.amount.amount,
        by=by.email if by else _OPENED_BY.get(Purpose(transaction.purpose), ""),
        url=page_url(transaction),
        tone=_TONES.get(Status(transaction.status), "info"),
    )


def refunds(account: Account, span: Span) -> list[Found]:
    """What was sent back to a card, or was tried to be."""
    found = Refund.objects.filter(span.of("created_at", _REFUNDS), account=account)
    newest = found.select_related("transaction", "made_by").order_by("-created_at", "-pk")
    return [
        Found(Place(one.created_at, _REFUNDS, one.pk), partial(_refund, one))
        for one in newest[: span.most]
    ]


def _refund(refund: Refund) -> Line:
    notes = [
        refund.reason,
        refund.failure_message,
        f"{format_omr(refund.charged_amount.amount)} to the card",
        f"credit note {refund.credit_note_number}" if refund.credit_note_number else "",
    ]
    status = said(refund, "status").lower()
    return Line(
        kind=Kind.REFUNDS,
        title=f"Refund {refund.number} of {refund.transaction.number}: {status}",
        note=_joined(notes),
        amount=-refund.amount.amount,
        by=refund.made_by.email if refund.made_by else said(refund, "origin"),
        url=page_url(refund),
        tone="danger" if refund.status == RefundStatus.FAILED else "warning",
    )


def disputes(account: Account, span: Span) -> list[Found]:
    """What card holders complained of to their bank."""
    found = Dispute.objects.filter(span.of("opened_at", _DISPUTES), account=account)
    newest = found.select_related("transaction").order_by("-opened_at", "-pk")[: span.most]
    return [
        Found(Place(one.opened_at, _DISPUTES, one.pk), partial(_dispute, one)) for one in newest
    ]


def _dispute(dispute: Dispute) -> Line:
    due = dispute.evidence_due_at
    notes = [
        dispute.reason_in_words,
        f"closed {when(dispute.closed_at)}" if dispute.closed_at else "",
        f"evidence due {when(due)}" if due and not dispute.closed_at else "",
    ]
    status = said(dispute, "status").lower()
    return Line(
        kind=Kind.REFUNDS,
        title=f"Dispute of {dispute.transaction.number}: {status}",
        note=_joined(notes),
        amount=-dispute.amount.amount,
        by="the card holder's bank",
        url=page_url(dispute),
        tone="danger" if dispute.is_holding else "info",
    )


def entries(account: Account, span: Span) -> list[Found]:
    """What moved the balance, but for usage."""
    found = Entry.objects.filter(
        span.of("created_at", _ENTRIES), ~Q(kind=EntryKind.USAGE), account=account
    ).select_related("transaction", "refund", "adjustment__author", "adjustment__approved_by")
    newest = found.order_by("-created_at", "-pk")[: span.most]
    return [Found(Place(one.created_at, _ENTRIES, one.pk), partial(_entry, one)) for one in newest]


def _entry(entry: Entry) -> Line:
    kind, adjustment = said(entry, "kind"), entry.adjustment
    words = entry.description
    approver = adjustment.approved_by if adjustment else None
    notes = [
        f"of {entry.transaction.number}" if entry.transaction else "",
        f"refund {entry.refund.number}" if entry.refund else "",
        f"approved by {approver.email}" if approver else "",
    ]
    return Line(
        kind=Kind.CREDIT,
        title=words if words.lower().startswith(kind.lower()) else f"{kind}: {words}",
        note=_joined(notes),
        amount=entry.amount,
        balance_after=entry.balance_after,
        by=adjustment.author.email if adjustment else "",
        url=page_url(entry),
        tone="success" if entry.amount > 0 else "warning",
    )


def usage(account: Account, span: Span) -> list[Found]:
    """What was used of each feature, by the hour."""
    until, place = span.until or _LAST, span.place
    if place is not None:
        until = min(until, place.at.replace(minute=0, second=0, microsecond=0) + _HOUR)
    found = usage_hours.by_hour(
        account_id=account.pk,
        since=span.since or _FIRST,
        until=until,
        most=span.most,
        after=(place.at, place.pk) if place is not None and place.source == _USAGE else None,
    )
    return [
        Found(Place(one.hour, _USAGE, one.feature_id), partial(_used, account, one))
        for one in found
    ]


def _used(account: Account, hour: UsageHour) -> Line:
    quantity = write_quantity(hour.quantity, hour.unit)
    if hour.included == hour.quantity:
        included = "all of it included in the plan"
    elif hour.included:
        included = f"{format_quantity(hour.included)} of it included in the plan"
    else:
        included = ""
    records = "1 record" if hour.records == 1 else f"{hour.records:,} records"
    last_second = hour.hour + _HOUR - timedelta(seconds=1)
    query = {
        "account__id__exact": str(account.pk),
        "feature__id__exact": hour.feature_id,
        "occurred_at_from_0": f"{hour.hour:%Y-%m-%d}",
        "occurred_at_from_1": f"{hour.hour:%H:%M:%S}",
        "occurred_at_to_0": f"{last_second:%Y-%m-%d}",
        "occurred_at_to_1": f"{last_second:%H:%M:%S}.999999",
    }
    return Line(
        kind=Kind.USAGE,
        title=f"{hour.feature}: {quantity}",
        note=_joined([included, records]),
        amount=-hour.amount,
        balance_after=hour.balance_after,
        url=list_url(UsageRecord, f"?{urlencode(query)}"),
    )


def _joined(notes: list[str]) -> str:
    return ", ".join(note.rstrip(".") for note in notes if note)
