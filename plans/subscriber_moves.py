"""Moving all who are on another version of a plan to a new one, at their next renewal.

The order is recorded first and carried out account by account, each in a transaction of its own: a
plan may have a hundred thousand subscribers, and whoever dies in between is followed by the sweep.
"""

from datetime import datetime
from uuid import UUID

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.db.models import Exists, F, OuterRef, QuerySet

from accounts.models import AuditEvent, User
from plans import plan_changes, subscriptions
from plans.models import (
    PlanChange,
    PlanChangeStatus,
    PlanVersion,
    SubscriberMove,
    Subscription,
)

log = structlog.get_logger(__name__)

#: Accounts moved in one run of the sweep; it runs every minute.
AT_ONCE = 500


@database.atomic
def order(
    *, plan_version: PlanVersion, by: User | None, reason: str, tells_customers: bool, now: datetime
) -> SubscriberMove:
    """Record that all who are on another version of the same plan move at their next renewal.

    Raises ValidationError for a version that is not published, or while such an order is carried
    out.
    """
    PlanVersion.objects.select_for_update(no_key=True).get(pk=plan_version.pk)
    if plan_version.published_at is None:
        raise ValidationError(f"{plan_version} is not published yet.")
    if SubscriberMove.objects.filter(plan_version=plan_version, finished_at=None).exists():
        raise ValidationError(f"Subscribers are being moved to {plan_version} already.")
    AuditEvent.objects.create(
        actor=by,
        action="subscriber_move_ordered",
        reason=reason,
        details={"version": str(plan_version), "tells_customers": tells_customers},
        created_at=now,
    )
    return SubscriberMove.objects.create(
        plan_version=plan_version,
        requested_by=by,
        reason=reason,
        tells_customers=tells_customers,
        created_at=now,
    )


def to_move(*, plan_version: PlanVersion) -> QuerySet[Subscription]:
    """Return the subscriptions an order would move.

    Whoever has a change of their own waiting, or is leaving, is left alone.
    """
    waiting = PlanChange.objects.filter(
        subscription=OuterRef("pk"), status=PlanChangeStatus.SCHEDULED
    )
    return Subscription.objects.filter(
        ~Exists(waiting),
        plan_version__plan=plan_version.plan_id,
        status__in=subscriptions.CURRENT_STATUSES,
        cancel_at_period_end=False,
    ).exclude(plan_version=plan_version)


def carry_out(*, now: datetime, most: int = AT_ONCE) -> int:
    """Go on with the orders that are not finished; return how many accounts were moved.

    At most `most` accounts are looked at; the next run goes on where this one ended.
    """
    moved = 0
    unfinished = SubscriberMove.objects.filter(finished_at=None).select_related(
        "plan_version__plan", "requested_by"
    )
    for move in unfinished.order_by("pk"):
        found = list(
            to_move(plan_version=move.plan_version)
            .order_by("pk")
            .values_list("pk", "account_id")[: most + 1]
        )
        left = [each for each in found[:most] if not _attempt(move, each, now=now)]
        done = min(len(found), most) - len(left)
        moved += done
        most -= done
        if not left and len(found) <= done:
            SubscriberMove.objects.filter(pk=move.pk).update(finished_at=now)
        if most <= 0:
            break
    return moved


def _attempt(move: SubscriberMove, of: tuple[int, UUID], *, now: datetime) -> bool:
    """Move one; return whether it is dealt with. One that fails must not hold back the others."""
    try:
        _move(move, *of, now=now)
    except Exception:
        log.exception("subscriber_not_moved", subscription=of[0], move=move.pk)
        return False
    return True


@database.atomic
def _move(move: SubscriberMove, subscription_id: int, account_id: UUID, *, now: datetime) -> None:
    """Schedule the change of one subscription, unless it has changed since it was found."""
    account = subscriptions.lock_account(account_id=account_id)
    candidates = to_move(plan_version=move.plan_version).select_related("plan_version__plan")
    subscription = candidates.filter(pk=subscription_id).first()
    if subscription is None:
        return
    change = PlanChange(
        account=account,
        subscription=subscription,
        from_version=subscription.plan_version,
        to_version=move.plan_version,
        period_number=subscription.current_period_number,
        requested_by=move.requested_by,
        reason=move.reason,
        created_at=now,
    )
    plan_changes.schedule(change, now=now, tells_customer=move.tells_customers)
    SubscriberMove.objects.filter(pk=move.pk).update(moved=F("moved") + 1)
