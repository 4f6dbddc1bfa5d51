"""Opening periods: each one that has begun gets its renewal, oldest first, without a gap.

Most periods follow the one before without further ado. These are opened many at once, in a handful
of statements (`open_page`); where something ends, changes or has been waiting for longer than a
period, a subscription is opened by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import structlog
from django.db import connection
from django.db import transaction as database
from django.db.models import Q, QuerySet

from accounts.bulk import any_uuid
from accounts.models import Account
from accounts.money import usd
from invoices import charging
from plans import (
    allowances,
    cancellation,
    period_costs,
    periods,
    plan_changes,
    rentals,
    subscriptions,
)
from plans.models import PlanChange, PlanChangeStatus, Renewal, RenewalStatus, Subscription
from plans.subscription_models import CURRENT_STATUSES
from wallet import ledger, spend_counts
from wallet.models import Wallet

log = structlog.get_logger(__name__)

#: How many subscriptions are looked at together. Their wallets are locked meanwhile, for a tenth of
#: a second.
PAGE = 50

#: Where a page ends: the end of a period, and the subscription.
Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Opened:
    """What came of a page: how many periods were opened, and where the page ended, if it did."""

    periods: int
    last: Place | None


def open_due_periods(*, now: datetime, account_ids: Sequence[UUID]) -> int:
    """Open every period of these accounts that has begun by `now`; return how many.

    One query when none has.
    """
    ended = _ended(now).filter(account_id__in=any_uuid(account_ids))
    return sum(
        _open_periods(pk, account_id=account_id, now=now)
        for pk, account_id in ended.order_by("pk").values_list("pk", "account_id")
    )


def open_page(*, now: datetime, after: Place | None = None) -> Opened:
    """Open the periods that have begun by `now` of the next few subscriptions `after` a place.

    Any number of processes may do so at once: what one is at is left out by the others. Whatever is
    wrong with one account holds back no other; it is met again by who begins at the first place.
    """
    ended = _ended(now)
    if after is not None:
        end, pk = after
        ended = ended.filter(
            Q(current_period_end__gt=end) | Q(pk__gt=pk), current_period_end__gte=end
        )
    page = list(
        ended.order_by("current_period_end", "pk").values_list(
            "current_period_end", "pk", "account_id"
        )[:PAGE]
    )
    if not page:
        return Opened(0, None)
    try:
        opened, left = _open_together({pk: account_id for _, pk, account_id in page}, now=now)
    except Exception:
        log.exception("periods_not_opened_together")
        opened, left = 0, [(pk, account_id) for _, pk, account_id in page]
    for pk, account_id in left:
        try:
            opened += _open_periods(pk, account_id=account_id, now=now)
        except Exception:
            log.exception("period_not_opened", subscription=pk)
    last_end, last_pk, _ = page[-1]
    assert last_end is not None
    return Opened(opened, (last_end, last_pk))


def _ended(now: datetime) -> QuerySet[Subscription]:
    """Return the subscriptions in force whose period is over at `now`."""
    return Subscription.objects.filter(status__in=CURRENT_STATUSES, current_period_end__lte=now)


@database.atomic
def _open_together(
    page: Mapping[int, UUID], *, now: datetime
) -> tuple[int, list[tuple[int, UUID]]]:
    """Open the next period of each subscription where nothing but time has passed.

    `page` is subscriptions and their accounts. Returns how many, and the subscriptions with more to
    them, which are not touched.
    """
    wallets, ended = _lock_ended(page, now=now)
    changing = set(
        PlanChange.objects.filter(
            subscription__in=ended, status=PlanChangeStatus.SCHEDULED
        ).values_list("subscription_id", flat=True)
    )
    prices = period_costs.rental_prices({each.plan_version for each in ended})
    begins = [each.current_period_end for each in ended if each.current_period_end is not None]
    history = period_costs.rentals_of(list(wallets), since=min(begins, default=now))
    renewals: list[Renewal] = []
    left: list[tuple[int, UUID]] = []
    for subscription in ended:
        period = _next_period(subscription)
        held = history.held_by(subscription.account_id, at=period.start)
        of_version = prices[subscription.plan_version_id]
        if (
            period.end <= now
            or subscription.cancel_at_period_end
            or subscription.pk in changing
            or any(rental.quantity_at_renewal is not None for rental in held)
            or period_costs.releases(
                held=held, plan_version=subscription.plan_version, prices=of_version
            )
        ):
            left.append((subscription.pk, subscription.account_id))
            continue
        lines = period_costs.period_lines(
            plan_version=subscription.plan_version,
            period=period,
            held=held,
            prices=of_version,
        )
        renewals.append(
            _renewal(subscription, period, amount=charging.total_of(lines), opened_at=now)
        )
    Renewal.objects.bulk_create(renewals)
    free_of_charge = [renewal for renewal in renewals if renewal.status == RenewalStatus.PAID]
    if free_of_charge:
        allowances.grant(*free_of_charge)
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW, [[renewal.pk for renewal in renewals]])
    capped = [
        renewal.account_id
        for renewal in renewals
        if wallets[renewal.account_id].spend_cap is not None
    ]
    if capped:
        spend_counts.begin(account_ids=capped, now=now)
    return len(renewals), left


def _lock_ended(
    page: Mapping[int, UUID], *, now: datetime
) -> tuple[dict[UUID, Wallet], list[Subscription]]:
    """Lock what of a page nobody else is at, and return the wallets and whose period is over.

    As subscriptions.lock_account, but who is busy is left for whoever is at it or comes next.
    """
    wallets = ledger.lock(account_ids=page.values(), skip_locked=True)
    free = wallets.keys()
    list(Account.objects.select_for_update(no_key=True).filter(pk__in=free).order_by("pk"))
    locked = (
        Subscription.objects.filter(
            pk__in=[pk for pk, account_id in page.items() if account_id in free]
        )
        .select_for_update(no_key=True, of=("self",))
        .select_related("plan_version__plan", "account")
        .order_by("pk")
    )
    return wallets, [
        subscription
        for subscription in locked
        if subscription.status in CURRENT_STATUSES
        and subscription.current_period_end is not None
        and subscription.current_period_end <= now
    ]


#: A subscription is in the period of its newest renewal.
_FOLLOW = """
UPDATE plans_subscription AS subscription
SET current_period_number = renewal.number,
    current_period_start = renewal.period_start,
    current_period_end = renewal.period_end
FROM plans_renewal AS renewal
WHERE renewal.id = ANY(%s) AND subscription.id = renewal.subscription_id
"""


@database.atomic
def _open_periods(subscription_id: int, *, account_id: UUID, now: datetime) -> int:
    """Open the subscription's periods up to `now`, oldest first, looking again under its lock."""
    subscriptions.lock_account(account_id=account_id)
    subscription = cancellation.lock(subscription_id=subscription_id)
    opened = 0
    while (
        subscription.status in CURRENT_STATUSES
        and subscription.current_period_end is not None
        and subscription.current_period_end <= now
    ):
        if subscription.cancel_at_period_end:
            cancellation.end(subscription, at=subscription.current_period_end, by=None, now=now)
            break
        period = _next_period(subscription)
        change = plan_changes.scheduled(subscription=subscription)
        if change is not None:
            subscription.plan_version = change.to_version
        rentals.release_at_renewal(account=subscription.account, at=period.start)
        rentals.fit_to_plan(
            account=subscription.account, plan_version=subscription.plan_version, at=period.start
        )
        lines = period_costs.period_lines(
            plan_version=subscription.plan_version,
            period=period,
            held=period_costs.rentals_held(account=subscription.account, at=period.start),
        )
        renewal = _renewal(subscription, period, amount=charging.total_of(lines), opened_at=now)
        renewal.save()
        if renewal.status == RenewalStatus.PAID:
            allowances.grant(renewal)
        subscription.current_period_number = period.number
        subscription.current_period_start = period.start
        subscription.current_period_end = period.end
        subscription.save()
        if change is not None:
            plan_changes.apply(change, renewal=renewal, at=period.start, now=now)
        opened += 1
    if opened:
        spend_counts.begin(account_ids=[account_id], now=now)
    return opened


def _next_period(subscription: Subscription) -> periods.Period:
    assert subscription.anchor is not None
    return periods.period(subscription.anchor, subscription.current_period_number + 1)


def _renewal(
    subscription: Subscription, period: periods.Period, *, amount: Decimal, opened_at: datetime
) -> Renewal:
    """Return the renewal of a period, not saved yet: due, or paid where it costs nothing (USD)."""
    assert subscription.anchor is not None
    return Renewal(
        account_id=subscription.account_id,
        subscription=subscription,
        plan_version=subscription.plan_version,
        number=period.number,
        anchor=subscription.anchor,
        period_start=period.start,
        period_end=period.end,
        amount=usd(amount),
        status=RenewalStatus.DUE if amount else RenewalStatus.PAID,
        next_attempt_at=period.start if amount else None,
        paid_at=None if amount else opened_at,
        created_at=opened_at,
    )
