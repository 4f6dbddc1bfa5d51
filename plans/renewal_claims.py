"""Claiming renewals to charge: many at once, each by one process.

The claim is the intent itself. In one database transaction the next renewals that nobody else has
locked are locked, looked at again, and each gets its transaction, `processing`. From the commit on
that row blocks every other attempt (invariant I5), so a claim needs no lease: a process that dies
with a few hundred of them leaves what any other death leaves, rows that say `processing`, and the
sweeper asks Stripe about each under its own key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import connection
from django.db import transaction as database
from django.db.models import Q

from accounts.bulk import any_uuid, as_array
from accounts.models import Card
from invoices import charging
from invoices.models import OPEN_STATUSES, Purpose, Transaction
from plans import period_costs, periods, renewal_charges
from plans.models import Renewal, RenewalStatus
from plans.subscription_models import CURRENT_STATUSES

log = structlog.get_logger(__name__)

#: How many are claimed together: what a run that dies leaves to the sweeper, at most.
CLAIM = 50

#: Where a claim ends: the moment from which a renewal was due, and the renewal.
Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed: transactions to execute, and renewals that can't be claimed together.

    They come as they were opened, each with its account and card. `last` is where the next claim
    goes on, None when nothing was left.
    """

    transactions: Sequence[Transaction]
    singly: Sequence[Renewal]
    last: Place | None


def claim(*, now: datetime, after: Place | None = None) -> Claim:
    """Record the intent to charge the next few renewals that are due at `now`, `after` a place.

    What has no card, and all when something is wrong with one of them, is returned to be charged
    singly (renewal_charges.charge).
    """
    page: list[Renewal] = []
    try:
        with database.atomic(durable=True):
            page = _lock_page(now=now, after=after)
            return _open(page, now=now) if page else Claim([], [], None)
    except Exception:
        if not page:
            raise
        log.exception("renewals_not_claimed_together")
        return Claim([], _chargeable(page), _last_of(page))


def _last_of(page: Sequence[Renewal]) -> Place:
    assert page[-1].next_attempt_at is not None
    return page[-1].next_attempt_at, page[-1].pk


def _lock_page(*, now: datetime, after: Place | None) -> list[Renewal]:
    """Lock the next few whose time has come, whether or not they can be charged.

    By the index's order alone: what else decides is asked of a page at a time, for a query that
    joins it all is quick or slow by what statistics say, and a run makes them wrong.
    """
    waiting = Renewal.objects.filter(status=RenewalStatus.DUE, next_attempt_at__lte=now)
    if after is not None:
        since, pk = after
        waiting = waiting.filter(
            Q(next_attempt_at__gt=since) | Q(pk__gt=pk), next_attempt_at__gte=since
        )
    return list(
        waiting.select_for_update(no_key=True, skip_locked=True, of=("self",))
        .select_related("account", "subscription", "plan_version__plan")
        .order_by("next_attempt_at", "pk")[:CLAIM]
    )


#: The fence keeps PostgreSQL from going through all that is due, of everybody.
_OLDEST = """
SELECT subscription_id, min(number) FROM (
    SELECT subscription_id, number, status FROM plans_renewal
    WHERE account_id = ANY(%s::uuid[]) OFFSET 0
) AS theirs
WHERE status = %s GROUP BY subscription_id
"""


def _chargeable(page: Sequence[Renewal]) -> list[Renewal]:
    """Return those of a locked page to charge now: the oldest unpaid of each, none under way.

    Asked only now: whoever had one of them locked a moment ago may have opened its attempt.
    """
    account_ids = as_array(renewal.account_id for renewal in page)
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST, [account_ids, RenewalStatus.DUE.value])
        oldest = dict(cursor.fetchall())
    under_way = set(
        Transaction.objects.filter(
            account_id__in=any_uuid(renewal.account_id for renewal in page),
            purpose=Purpose.RENEWAL,
            status__in=OPEN_STATUSES,
        ).values_list("subject_id", flat=True)
    )
    return [
        renewal
        for renewal in page
        if renewal.subscription.status in CURRENT_STATUSES
        and renewal.number == oldest[renewal.subscription_id]
        and renewal.pk not in under_way
    ]


def _open(page: Sequence[Renewal], *, now: datetime) -> Claim:
    """Record the intents, under the renewals' locks: nobody else opens an attempt at them."""
    free = _chargeable(page)
    account_ids = [renewal.account_id for renewal in free]
    cards = {
        card.account_id: card
        for card in Card.objects.filter(account_id__in=any_uuid(account_ids), is_default=True)
    }
    prices = period_costs.rental_prices({renewal.plan_version for renewal in free})
    history = period_costs.rentals_of(
        account_ids, since=min((renewal.period_start for renewal in free), default=now)
    )
    opened = charging.open_many(
        [
            charging.NewCharge(
                account=renewal.account,
                purpose=Purpose.RENEWAL,
                lines=period_costs.period_lines(
                    plan_version=renewal.plan_version,
                    period=periods.Period(renewal.number, renewal.period_start, renewal.period_end),
                    held=history.held_by(renewal.account_id, at=renewal.period_start),
                    prices=prices[renewal.plan_version_id],
                ),
                card=cards[renewal.account_id],
                subject_id=renewal.pk,
                obligation=renewal_charges.obligation_of(renewal),
            )
            for renewal in free
            if renewal.account_id in cards
        ],
        now=now,
    )
    return Claim(
        opened,
        [renewal for renewal in free if renewal.account_id not in cards],
        _last_of(page),
    )
