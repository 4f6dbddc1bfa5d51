"""Why an account's services are paused, or soon will be, and what puts it right: in plain words."""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Account, AuditEvent, PauseReason
from accounts.money import format_usd
from billing_portal.admin.cells import exact_usd, when
from invoices.models import Purpose, Transaction
from plans import past_due
from plans.models import Subscription, SubscriptionStatus
from wallet.models import Wallet

#: One reason may have come and gone more often since another began to hold.
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that stands in the way: what, since when and by whom, and what ends it."""

    title: str
    since: str
    words: str
    tone: str = "danger"


def troubles_of(
    account: Account, wallet: Wallet | None, subscription: Subscription | None
) -> list[Trouble]:
    """Return what pauses the account's services, and an unpaid renewal that will."""
    reasons = [PauseReason(reason) for reason in account.pause_reasons]
    began = _began(account, reasons) if reasons else {}
    found = []
    for reason in reasons:
        event = began.get(reason)
        found.append(
            Trouble(
                title=f"Paused: {str(reason.label).lower()}",
                since=_since(event),
                words=_words(reason, account, wallet),
            )
        )
    is_past_due = subscription is not None and subscription.status == SubscriptionStatus.PAST_DUE
    if subscription and is_past_due and PauseReason.SUBSCRIPTION_UNPAID not in reasons:
        since = subscription.past_due_since
        pauses_at = past_due.pauses_at(subscription)
        found.append(
            Trouble(
                title="The renewal is unpaid",
                since=f"since {when(since)}",
                words=f"{_unpaid(account)} Services pause at {when(pauses_at)}.",
                tone="warning",
            )
        )
    return found


def _began(account: Account, reasons: list[PauseReason]) -> dict[str, AuditEvent]:
    """The newest event of each reason: it holds since then."""
    events = AuditEvent.objects.filter(
        account=account,
        action__in=["services_paused", "services_paused_reason"],
        details__reason__in=[reason.value for reason in reasons],
    ).select_related("actor")
    began: dict[str, AuditEvent] = {}
    for event in events.order_by("-created_at", "-pk")[:_LOOKED_AT]:
        began.setdefault(event.details["reason"], event)
    return began


def _since(event: AuditEvent | None) -> str:
    if event is None:
        return ""
    by = f" by {event.actor.email}" if event.actor else ""
    return f"since {when(event.created_at)}{by}"


def _words(reason: PauseReason, account: Account, wallet: Wallet | None) -> str:
    match reason:
        case PauseReason.NEGATIVE_BALANCE:
            balance = exact_usd(wallet.balance) if wallet else "unknown"
            return (
                f"The balance is {balance}. Services resume by themselves as soon as it is above "
                "zero, whatever brings it there: a top-up, a refill or an adjustment."
            )
        case PauseReason.SUBSCRIPTION_UNPAID:
            return f"{_unpaid(account)} Services resume when the renewal is paid.".strip()
        case PauseReason.SPEND_CAP:
            cap = format_usd(wallet.spend_cap) if wallet and wallet.spend_cap is not None else ""
            return (
                f"Usage reached the cap {cap} that the customer set. Services resume when they "
                "raise or remove it in Settings, or when the next period begins."
            )
        case PauseReason.LOCKED:
            note = f"“{account.lock_note}” " if account.lock_note else ""
            return f"{note}Only a colleague who unlocks services ends it."


def _unpaid(account: Account) -> str:
    """What is owed, why the last attempt failed, and when the next is made."""
    owed = past_due.unpaid(account=account)
    if owed is None:
        return ""
    last = (
        Transaction.objects.filter(account=account, purpose=Purpose.RENEWAL)
        .order_by("-created_at", "-pk")
        .first()
    )
    why = f" The last attempt: {last.failure_message}" if last and last.failure_message else ""
    return (
        f"{format_usd(owed.amount.amount)} is owed for the period from {when(owed.period_start)}."
        f"{why}{_next(owed.next_attempt_at)}"
    )


def _next(attempt: datetime | None) -> str:
    return f" The card is charged again at {when(attempt)}." if attempt else ""
