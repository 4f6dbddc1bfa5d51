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
from django.db import transaction as database
from django.db.models import Q

from accounts.bulk import any_uuid
from accounts.models import Card
from invoices import charging
from invoices.models import OPEN_STATUSES, Purpose, Transaction
from plans import period_costs, periods, renewal_charges
from plans.models import Renewal

log = structlog.get_logger(__name__)

#: How many are claimed together: what a run that dies leaves to the sweeper, at most.
CLAIM = 50

#: Where a claim ends: the moment from which a renewal was due, and the renewal.
Place = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed: transactions to execute, and renewals that can't be claimed together.

    `last` is where the next claim goes on, None when nothing was left.
    """

    transaction_ids: Sequence[int]
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
            return _open(page, now=now)
    except Exception:
        if not page:
            raise
        log.exception("renewals_not_claimed_together")
        return Claim([], page, _last_of(page))


def _last_of(page: Sequence[Renewal]) -> Place | None:
    if not page:
        return None
    assert page[-1].next_attempt_at is not None
    return page[-1].next_attempt_at, page[-1].pk


def _lock_page(*, now: datetime, after: Place | None) -> list[Renewal]:
    due = renewal_charges.due(now=now)
    if after is not None:
        since, pk = after
        due = due.filter(Q(next_attempt_at__gt=since) | Q(pk__gt=pk), next_attempt_at__gte=since)
    return list(due.select_for_update(no_key=True, skip_locked=True, of=("self",))[:CLAIM])


def _open(page: Sequence[Renewal], *, now: datetime) -> Claim:
    """Record the intents, under the renewals' locks: nobody else opens an attempt at them."""
    # Only now: whoever had one of them locked a moment ago may have opened its attempt meanwhile.
    under_way = set(
        Transaction.objects.filter(
            account_id__in=any_uuid(renewal.account_id for renewal in page),
            purpose=Purpose.RENEWAL,
            status__in=OPEN_STATUSES,
        ).values_list("subject_id", flat=True)
    )
    free = [renewal for renewal in page if renewal.pk not in under_way]
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
                    account=renewal.account,
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
        [transaction.pk for transaction in opened],
        [renewal for renewal in free if renewal.account_id not in cards],
        _last_of(page),
    )
