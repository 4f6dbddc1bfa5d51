"""Canceling a plan, keeping it after all, and what ends with it.

A canceled plan runs until its period ends: it is paid for. One that is past due is not, so it ends
at once and what is unpaid is void. Credit is never lost: it stays in the wallet, and any plan,
Pay as you go too, makes it usable again. Whoever wants to go on without a monthly fee moves to the
free plan instead (plan_changes.py), which keeps numbers and services.
"""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import outbox, service_state
from accounts.models import Account, AuditEvent, PauseReason, User
from accounts.money import format_usd
from plans import plan_changes, plan_quotes, rentals, subscriptions
from plans.models import Renewal, RenewalStatus, Subscription, SubscriptionStatus
from wallet import refill_adjustments
from wallet.models import Wallet


@database.atomic
def cancel(*, account: Account, by: User | None, now: datetime, reason: str = "") -> Subscription:
    """Let the plan end when its period does, or at once while it is past due.

    A change that waits for the renewal is taken back. Raises ValidationError without a plan, when
    it is canceled already, or while a payment for it is under way. `reason` is staff's.
    """
    account = subscriptions.lock_account(account_id=account.pk)
    subscription = _in_force(account)
    is_past_due = subscription.status == SubscriptionStatus.PAST_DUE
    if subscription.cancel_at_period_end and not is_past_due:
        raise ValidationError(
            _("%(plan)s is canceled already.") % {"plan": subscription.plan_version.plan.name}
        )
    plan_quotes.check_nothing_under_way(account=account)
    assert subscription.current_period_end is not None
    if subscription.current_period_end <= now:
        raise ValidationError(plan_quotes.PERIOD_BEGINS)
    if is_past_due:
        end(subscription, at=now.replace(microsecond=0), by=by, now=now, reason=reason)
        return subscription
    plan_changes.take_back(account=account, by=by, now=now)
    subscription.cancel_at_period_end = True
    subscription.save(update_fields=["cancel_at_period_end"])
    event = _record(subscription, "cancellation_scheduled", by=by, now=now, reason=reason)
    _tell(
        subscription,
        "cancellation_scheduled",
        key=str(event.pk),
        at=subscription.current_period_end,
        now=now,
    )
    return subscription


@database.atomic
def keep(*, account: Account, by: User | None, now: datetime, reason: str = "") -> Subscription:
    """Undo a cancellation before the period ends. Raises ValidationError when there is none."""
    account = subscriptions.lock_account(account_id=account.pk)
    subscription = _in_force(account)
    ends = subscription.current_period_end
    if not subscription.cancel_at_period_end or ends is None or ends <= now:
        raise ValidationError(_("There is no cancellation to undo."))
    subscription.cancel_at_period_end = False
    subscription.save(update_fields=["cancel_at_period_end"])
    _record(subscription, "cancellation_undone", by=by, now=now, reason=reason)
    return subscription


def lock(*, subscription_id: int) -> Subscription:
    """Lock a subscription that may end, and before it what is unpaid of it, which is void then.

    In this order, as whoever notes that a payment failed. Call it under the account's lock.
    """
    unpaid = Renewal.objects.filter(subscription=subscription_id, status=RenewalStatus.DUE)
    list(unpaid.select_for_update(no_key=True).order_by("pk"))
    return (
        Subscription.objects.select_for_update(no_key=True, of=("self",))
        .select_related("plan_version__plan", "account")
        .get(pk=subscription_id)
    )


def end(
    subscription: Subscription,
    *,
    at: datetime,
    by: User | None,
    now: datetime,
    reason: str = "",
) -> None:
    """End a subscription at `at`, and what depends on it; it is locked with lock()."""
    account = subscription.account
    _end_alone(subscription, at=at, by=by, now=now)
    rentals.end_all(account=account, at=at)
    refill_adjustments.switch_off(account=account, reason=gettext_noop("The plan ended."), now=now)
    service_state.lift(account_ids=[account.pk], reason=PauseReason.SUBSCRIPTION_UNPAID, now=now)
    _record(subscription, "subscription_canceled", by=by, now=now, reason=reason)
    _tell(subscription, "subscription_canceled", key=str(subscription.pk), at=at, now=now)


def give_way(*, account: Account, at: datetime, by: User | None, now: datetime) -> None:
    """End the subscription in force at `at`, if there is one: another plan takes its place.

    What is held and what pays for it goes on under the other plan. Call it under the account's
    lock.
    """
    current = subscriptions.current(account=account)
    if current is not None:
        _end_alone(lock(subscription_id=current.pk), at=at, by=by, now=now)


def _end_alone(subscription: Subscription, *, at: datetime, by: User | None, now: datetime) -> None:
    """End a locked subscription: nothing of it is owed, charged or changed any more."""
    subscription.status = SubscriptionStatus.CANCELED
    subscription.ended_at = at
    subscription.past_due_since = subscription.grace_until = None
    subscription.save()
    subscription.renewals.filter(status=RenewalStatus.DUE).update(
        status=RenewalStatus.VOID, next_attempt_at=None
    )
    plan_changes.take_back(account=subscription.account, by=by, now=now)


def _in_force(account: Account) -> Subscription:
    """Return the account's subscription, locked. Raises ValidationError without one."""
    current = subscriptions.current(account=account)
    if current is None:
        raise ValidationError(_("There is no plan to cancel or keep."))
    return lock(subscription_id=current.pk)


def _record(
    subscription: Subscription, action: str, *, by: User | None, now: datetime, reason: str
) -> AuditEvent:
    return AuditEvent.objects.create(
        account=subscription.account,
        actor=by,
        action=action,
        reason=reason,
        details={"plan": subscription.plan_version.plan.slug},
        created_at=now,
    )


def _tell(subscription: Subscription, event: str, *, key: str, at: datetime, now: datetime) -> None:
    balance = Wallet.objects.values_list("balance", flat=True).get(account=subscription.account)
    outbox.record_email(
        account=subscription.account,
        event=event,
        key=f"{event}:{key}",
        context={
            "plan": subscription.plan_version.plan.name,
            "ends_at": at.isoformat(),
            "balance": format_usd(balance),
            "path": "/billing/plan/",
        },
        now=now,
    )
