"""Opening periods: each one that has begun gets its renewal, oldest first, without a gap."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction as database

from accounts.bulk import any_uuid
from accounts.money import usd
from plans import (
    allowances,
    cancellation,
    period_costs,
    periods,
    plan_changes,
    rentals,
    subscriptions,
)
from plans.models import Renewal, RenewalStatus, Subscription
from plans.subscription_models import CURRENT_STATUSES

log = structlog.get_logger(__name__)


def open_due_periods(*, now: datetime, account_ids: Sequence[UUID] | None = None) -> int:
    """Open every period that has begun by `now`; return how many. One query when none has."""
    ended = Subscription.objects.filter(status__in=CURRENT_STATUSES, current_period_end__lte=now)
    if account_ids is not None:
        ended = ended.filter(account_id__in=any_uuid(account_ids))
    opened = 0
    for pk, account_id in ended.order_by("pk").values_list("pk", "account_id"):
        try:
            opened += _open_periods(pk, account_id=account_id, now=now)
        except Exception:
            if account_ids is not None:
                raise
            # In a sweep, whatever is wrong with one account must not hold back the others.
            log.exception("period_not_opened", subscription=pk)
    return opened


@database.atomic
def _open_periods(subscription_id: int, *, account_id: UUID, now: datetime) -> int:
    """Open the subscription's periods up to `now`, oldest first, looking again under its lock."""
    subscriptions.lock_account(account_id=account_id)
    subscription = (
        Subscription.objects.select_for_update(no_key=True, of=("self",))
        .select_related("plan_version__plan", "account")
        .get(pk=subscription_id)
    )
    opened = 0
    while (
        subscription.status in CURRENT_STATUSES
        and subscription.anchor is not None
        and subscription.current_period_end is not None
        and subscription.current_period_end <= now
    ):
        if subscription.cancel_at_period_end:
            cancellation.end(subscription, at=subscription.current_period_end, by=None, now=now)
            break
        period = periods.period(subscription.anchor, subscription.current_period_number + 1)
        change = plan_changes.scheduled(subscription=subscription)
        if change is not None:
            subscription.plan_version = change.to_version
        rentals.release_at_renewal(account=subscription.account, at=period.start)
        rentals.fit_to_plan(
            account=subscription.account, plan_version=subscription.plan_version, at=period.start
        )
        lines = period_costs.period_lines(
            account=subscription.account,
            plan_version=subscription.plan_version,
            period=period,
            held=period_costs.rentals_held(account=subscription.account, at=period.start),
        )
        amount = sum(line.amount for line in lines)
        renewal = Renewal.objects.create(
            account=subscription.account,
            subscription=subscription,
            plan_version=subscription.plan_version,
            number=period.number,
            anchor=subscription.anchor,
            period_start=period.start,
            period_end=period.end,
            amount=usd(amount),
            status=RenewalStatus.DUE if amount else RenewalStatus.PAID,
            next_attempt_at=period.start if amount else None,
            paid_at=None if amount else now,
            created_at=now,
        )
        if not amount:
            allowances.grant(renewal=renewal)
        subscription.current_period_number = period.number
        subscription.current_period_start = period.start
        subscription.current_period_end = period.end
        subscription.save()
        if change is not None:
            plan_changes.apply(change, renewal=renewal, at=period.start, now=now)
        opened += 1
    return opened
