"""The story of a payment, from what was recorded of it: each event with its time and its words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.utils.translation import gettext as _

from accounts.models import Message, MessageChannel
from accounts.money import format_omr, format_usd, format_usd_in_words
from billing_portal.dashboard.rows import card_label, is_expired, reason_of
from billing_portal.dashboard.times import Moment, moment
from invoices.models import (
    Dispute,
    DisputeStatus,
    Purpose,
    Refund,
    RefundStatus,
    Status,
    Transaction,
)
from wallet.models import BOUGHT_KINDS, Entry, EntryKind

#: Stripe is asked at once; what was asked later than this was asked again.
_AT_ONCE = timedelta(minutes=1)
#: The e-mails about a payment, by the event that their key begins with.
_MAILS = ("transaction_paid", "transaction_failed", "confirmation_needed")


@dataclass(frozen=True)
class Event:
    """Something that happened to a payment, or that it waits for."""

    icon: str
    tone: str
    title: str
    words: str
    at: Moment | None


@dataclass(frozen=True)
class _Fact:
    """An event before it is written: those of one moment stay in the order they are told."""

    at: datetime
    icon: str
    tone: str
    title: str
    words: str = ""


def build_timeline(transaction: Transaction, *, zone: tzinfo, now: datetime) -> tuple[Event, ...]:
    """Tell what became of a payment, oldest first; what it waits for comes last, without a time.

    Two queries, and one for what went back where something did.
    """
    entries = {
        (entry.kind, entry.refund_id or entry.dispute_id): entry
        for entry in Entry.objects.filter(account=transaction.account_id, transaction=transaction)
    }
    facts = [
        *_opened(transaction),
        *_ended(transaction, now),
        *_credited(entries),
        *_mails(transaction),
        *(fact for refund in transaction.refunds.all() for fact in _refunded(refund, entries)),
        *(fact for dispute in transaction.disputes.all() for fact in _disputed(dispute, entries)),
    ]
    told = [
        Event(fact.icon, fact.tone, fact.title, fact.words, moment(fact.at, zone))
        for fact in sorted(facts, key=lambda fact: fact.at)
    ]
    return (*told, *_waits(transaction, zone=zone, now=now))


def _opened(transaction: Transaction) -> Iterator[_Fact]:
    at = transaction.created_at
    amounts = {
        "amount": format_usd(transaction.amount.amount),
        "charged": format_omr(transaction.charged_amount.amount),
    }
    yield _Fact(
        at,
        "plus",
        "",
        _opening(transaction),
        _("%(amount)s, charged as %(charged)s.") % amounts,
    )
    if transaction.supersedes is not None:
        yield _Fact(
            at,
            "refresh",
            "",
            _("It replaces %(number)s") % {"number": transaction.supersedes.number},
            _("That payment waited for a confirmation, which can't be given any more."),
        )
    if transaction.stripe_checkout_session_id or transaction.status == Status.CHECKOUT:
        yield _Fact(at, "external", "", _("Stripe's payment page was opened"))
    elif transaction.asked_at is not None and transaction.asked_at - at < _AT_ONCE:
        card = card_label(transaction.card_brand, transaction.card_last4)
        words = _("To be charged to %(card)s.") % {"card": card.spoken} if card else ""
        yield _Fact(transaction.asked_at, "card", "", _("Sent to the bank"), words)
    elif transaction.asked_at is not None:
        yield _Fact(transaction.asked_at, "refresh", "", _("Stripe was asked how it stands"))


def _opening(transaction: Transaction) -> str:
    by = transaction.opened_by
    if by is not None and by.is_staff:
        return _("Opened by our support")
    if by is not None:
        return _("Opened by %(email)s") % {"email": by.email}
    return {
        Purpose.AUTO_REFILL: _("Opened by Auto-Refill"),
        Purpose.RENEWAL: _("Opened by the plan's renewal"),
    }.get(Purpose(transaction.purpose), _("Opened"))


def _ended(transaction: Transaction, now: datetime) -> Iterator[_Fact]:
    """How it failed, expired and was paid; a late success has failed before."""
    if transaction.failed_at is not None:
        is_paid = transaction.status == Status.PAID
        yield _Fact(
            transaction.failed_at,
            "cross",
            "bad",
            _("Failed"),
            _("It was paid after all, as said below.")
            if is_paid
            else _("%(reason)s Nothing was charged.") % {"reason": reason_of(transaction)},
        )
    ended = transaction.expired_at or transaction.expires_at
    if ended is not None and is_expired(transaction, now=now):
        yield _Fact(ended, "clock", "", _("The payment page expired"), _("Nothing was charged."))
    if transaction.paid_at is not None:
        card = card_label(transaction.card_brand, transaction.card_last4)
        words = {
            "charged": format_omr(transaction.charged_amount.amount),
            "card": card.spoken if card else _("the card"),
            "receipt": transaction.receipt_number,
        }
        yield _Fact(
            transaction.paid_at,
            "check",
            "good",
            _("Paid"),
            _("%(charged)s was charged to %(card)s. Receipt %(receipt)s.") % words,
        )


_Entries = dict[tuple[str, int | None], Entry]


def _credited(entries: _Entries) -> Iterator[_Fact]:
    for (kind, __), entry in entries.items():
        if kind not in BOUGHT_KINDS:
            continue
        words = {
            "amount": format_usd(entry.amount),
            "balance": format_usd_in_words(entry.balance_after),
        }
        yield _Fact(
            entry.created_at,
            "plus",
            "good",
            _("Credited"),
            _("%(amount)s was added. Your balance was %(balance)s after that.") % words,
        )


def _mails(transaction: Transaction) -> Iterator[_Fact]:
    sent = Message.objects.filter(
        channel=MessageChannel.EMAIL,
        key__in=[f"{event}:{transaction.number}" for event in _MAILS],
        sent_at__isnull=False,
    )
    titles = {
        "transaction_paid": _("The receipt was sent"),
        "transaction_failed": _("You were told by e-mail"),
        "confirmation_needed": _("You were asked by e-mail to confirm it"),
    }
    for message in sent:
        assert message.sent_at is not None
        yield _Fact(message.sent_at, "mail", "", titles[message.event], message.recipient)


def _refunded(refund: Refund, entries: _Entries) -> Iterator[_Fact]:
    """One that Stripe refused at once never left, and is left out."""
    if refund.status == RefundStatus.FAILED and not refund.credit_note_number:
        return
    words = {
        "amount": format_usd(refund.amount.amount),
        "charged": format_omr(refund.charged_amount.amount),
        "note": refund.credit_note_number,
    }
    yield _Fact(refund.created_at, "undo", "brand", _("A refund of %(amount)s began") % words)
    if refund.succeeded_at is not None:
        entry = entries.get((EntryKind.REFUND, refund.pk))
        left = (
            _("%(amount)s of credit left your wallet.") % {"amount": format_usd(-entry.amount)}
            if entry
            else ""
        )
        went = _("%(charged)s went back to the card. Credit note %(note)s.") % words
        yield _Fact(
            refund.succeeded_at, "undo", "good", _("Refunded"), " ".join(filter(None, [went, left]))
        )
    if refund.failed_at is not None and refund.status == RefundStatus.FAILED:
        yield _Fact(
            refund.failed_at,
            "warning",
            "bad",
            _("The refund came back"),
            _("The bank did not take it. We will find another way with you."),
        )


def _disputed(dispute: Dispute, entries: _Entries) -> Iterator[_Fact]:
    amount = {"amount": format_usd(dispute.amount.amount)}
    asked_only = dispute.status in (DisputeStatus.INQUIRY, DisputeStatus.DISMISSED)
    taken = entries.get((EntryKind.DISPUTE, dispute.pk))
    if asked_only:
        yield _Fact(
            dispute.opened_at,
            "warning",
            "brand",
            _("Your bank asked about this payment"),
            _("Nothing has changed; we answer it."),
        )
    else:
        yield _Fact(
            dispute.opened_at,
            "warning",
            "warn",
            _("Your bank disputed %(amount)s") % amount,
            _("%(amount)s of credit left your wallet meanwhile.")
            % {"amount": format_usd(-taken.amount)}
            if taken
            else "",
        )
    if dispute.closed_at is None:
        return
    icon, tone, title = {
        DisputeStatus.DISMISSED: ("check", "", _("Your bank closed the question")),
        DisputeStatus.LOST: ("undo", "", _("Your bank returned %(amount)s to your card") % amount),
        DisputeStatus.WON: ("check", "good", _("The payment stands")),
    }[DisputeStatus(dispute.status)]
    back = entries.get((EntryKind.DISPUTE_REVERSAL, dispute.pk))
    yield _Fact(
        dispute.closed_at,
        icon,
        tone,
        title,
        _("%(amount)s of credit is back in your wallet.") % {"amount": format_usd(back.amount)}
        if back
        else "",
    )


def _waits(transaction: Transaction, *, zone: tzinfo, now: datetime) -> Iterator[Event]:
    """What comes next, while something does."""
    if transaction.can_be_confirmed(now) and transaction.confirmable_until is not None:
        until = {"moment": moment(transaction.confirmable_until, zone).short}
        yield Event(
            "shield",
            "warn",
            _("Waiting for you to confirm it with your bank"),
            _("Until %(moment)s. Nothing was charged so far.") % until,
            None,
        )
    elif transaction.status == Status.PROCESSING:
        yield Event("clock", "brand", _("Waiting for the bank"), "", None)
    elif transaction.status == Status.CHECKOUT and not is_expired(transaction, now=now):
        last = reason_of(transaction) if transaction.failure_message else ""
        until_words = (
            _("It can be paid until %(moment)s.")
            % {"moment": moment(transaction.expires_at, zone).short}
            if transaction.expires_at
            else ""
        )
        words = " ".join(filter(None, [last, until_words]))
        yield Event("clock", "brand", _("Waiting to be paid on Stripe's page"), words, None)
