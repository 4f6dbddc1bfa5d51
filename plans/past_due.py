"""Chasing what is unpaid: when a renewal is tried again, who is told, when services pause."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction as database
from django.db.models import Q, QuerySet

from accounts import nudges, outbox, service_state
from accounts.models import Account, PauseReason
from accounts.money import format_usd
from invoices import charging, settlement
from invoices.models import Transaction
from plans import subscriptions
from plans.models import Renewal, RenewalStatus, Subscription, SubscriptionStatus
from plans.subscription_models import CURRENT_STATUSES

log = structlog.get_logger(__name__)

#: Days after the first failure on which an unpaid renewal is charged again.
RETRY_DAYS = (1, 3, 5, 7)
#: How long a renewal may be unpaid before services pause.
GRACE = timedelta(days=7)


def unpaid(*, account: Account) -> Renewal | None:
    """Return the oldest renewal that is not paid yet, or None."""
    return (
        Renewal.objects.filter(
            account=account, status=RenewalStatus.DUE, subscription__status__in=CURRENT_STATUSES
        )
        .select_related("account", "subscription", "plan_version__plan")
        .order_by("number")
        .first()
    )


def pauses_at(subscription: Subscription) -> datetime:
    """Return when services pause for a subscription that is past due, unless it is paid first."""
    assert subscription.past_due_since is not None
    grace = subscription.past_due_since + GRACE
    return max(grace, subscription.grace_until) if subscription.grace_until else grace


def pause_unpaid(*, now: datetime) -> int:
    """Pause services of every account whose renewal has been unpaid for longer than the grace."""
    overdue = Subscription.objects.filter(
        Q(grace_until__isnull=True) | Q(grace_until__lte=now),
        status=SubscriptionStatus.PAST_DUE,
        past_due_since__lte=now - GRACE,
    ).exclude(account__pause_reasons__contains=[PauseReason.SUBSCRIPTION_UNPAID])
    paused = 0
    for account_id in list(overdue.values_list("account_id", flat=True)):
        try:
            paused += _pause(account_id, overdue, now)
        except Exception:
            # Whatever is wrong with one account must not hold back the others.
            log.exception("account_not_paused", account=str(account_id))
    return paused


@database.atomic
def _pause(account_id: UUID, overdue: QuerySet[Subscription], now: datetime) -> int:
    """Pause an account that is still overdue; return how many that stopped.

    Looked at again under the lock that settling takes: a payment that comes at this moment has
    lifted the reason, and nothing would lift it again.
    """
    subscriptions.lock_account(account_id=account_id)
    if not overdue.filter(account_id=account_id).exists():
        return 0
    return len(
        service_state.pause(
            account_ids=[account_id], reason=PauseReason.SUBSCRIPTION_UNPAID, now=now
        )
    )


def try_again(account: Account, now: datetime) -> None:
    """A new or renewed default card gives reason to charge the oldest unpaid renewal at once."""
    renewal = unpaid(account=account)
    if renewal is None:
        return
    Renewal.objects.filter(pk=renewal.pk, status=RenewalStatus.DUE).update(next_attempt_at=now)
    nudge()


def nudge() -> None:
    """After commit, have the worker look for renewals; a lost nudge waits for the next tick."""
    nudges.after_commit("plans.renew_due")


def missed(
    *,
    renewal_id: int,
    reason: str,
    key: str,
    now: datetime,
    attempt: Transaction | None = None,
) -> None:
    """Note that an attempt failed: past due, when to try again, and tell the customer.

    Without an `attempt` there was no card to charge. One that the bank wants confirmed is told
    with the way to confirm it.
    """
    renewal = (
        Renewal.objects.select_for_update(no_key=True, of=("self",))
        .select_related("account", "subscription", "plan_version__plan")
        .get(pk=renewal_id)
    )
    if renewal.status != RenewalStatus.DUE:
        return
    subscription = Subscription.objects.select_for_update(no_key=True).get(
        pk=renewal.subscription_id
    )
    newly_past_due = subscription.status == SubscriptionStatus.ACTIVE
    if newly_past_due:
        subscription.status = SubscriptionStatus.PAST_DUE
        subscription.past_due_since = now
        subscription.save()
    assert subscription.past_due_since is not None
    retries = (subscription.past_due_since + timedelta(days=days) for days in RETRY_DAYS)
    renewal.attempts += 1
    renewal.next_attempt_at = next((moment for moment in retries if moment > now), None)
    renewal.save()
    pause_at = pauses_at(subscription).isoformat()
    if attempt is not None and attempt.can_be_confirmed(now):
        settlement.ask_to_confirm(attempt, now, pause_at=pause_at)
    else:
        _tell_customer(renewal, reason=reason, key=key, pause_at=pause_at, now=now)
    if newly_past_due:
        outbox.record_platform_event(
            account=renewal.account,
            event="subscription.past_due",
            key=f"subscription.past_due:{renewal.pk}:{renewal.attempts}",
            data={"plan": renewal.plan_version.plan.slug, "period": renewal.number},
            now=now,
        )


def _tell_customer(
    renewal: Renewal, *, reason: str, key: str, pause_at: str, now: datetime
) -> None:
    """Record the e-mail: what is unpaid and why, when it is tried again, when services pause."""
    price = charging.quote(renewal.amount.amount, account=renewal.account)
    outbox.record_email(
        account=renewal.account,
        event="subscription_past_due",
        key=f"subscription_past_due:{key}",
        context={
            "plan": renewal.plan_version.plan.name,
            "amount": format_usd(price.amount),
            "reason": reason,
            "next_attempt_at": renewal.next_attempt_at and renewal.next_attempt_at.isoformat(),
            "pause_at": pause_at,
            "path": "/billing/",
        },
        now=now,
    )
