"""Quotes: exactly what moving to a plan comes to, held still while a person looks at it.

What is charged for the rest of a period goes by the second, so a quote is computed at one moment
and signed (quotes.py): for ten minutes what was shown is what is charged. Agreeing computes it
again for that moment, under the account's lock; if anything else has changed meanwhile (a rental,
the plan, the rate), the quote no longer holds and is shown anew.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Account
from invoices import charging
from invoices.charging import NewLine
from invoices.models import OPEN_STATUSES, SMALLEST_CHARGE, Purpose, Transaction
from plans import period_costs, periods, proration, quotes, subscriptions
from plans.models import (
    FeaturePrice,
    PlanVersion,
    Renewal,
    RenewalStatus,
    Rental,
    Subscription,
)
from plans.period_costs import Release
from wallet import refill_adjustments

PERIOD_BEGINS = gettext_lazy("A new period is just beginning. Try again in a minute.")
_UNDER_WAY = gettext_lazy("A payment is under way. Wait for its outcome, then try again.")


class Kind(StrEnum):
    """How an account comes to a plan."""

    START = "start"  # nothing in force, or a free plan: a new subscription with its own anchor
    UPGRADE = "upgrade"  # to a higher monthly price: at once
    DOWNGRADE = "downgrade"  # to the same or a lower one: at the next renewal


@dataclass(frozen=True, slots=True)
class Quote:
    """What moving to a plan comes to. Lines are USD, net.

    `lines` are for now and add up to `lines_total`; of that `price` is charged: what is too little
    to be charged is waived, and what is less than nothing is not paid out. `next_lines` is what
    the next renewal will charge, at `next_renewal_at`, as `next_price`. `raised_refill` is what
    auto-refill tops up from then on, when it tops up less now than the version accepts.
    """

    kind: Kind
    plan_version: PlanVersion
    subscription: Subscription | None
    at: datetime
    period: periods.Period
    lines: Sequence[NewLine]
    lines_total: Decimal
    price: charging.Quote
    next_lines: Sequence[NewLine]
    next_price: charging.Quote
    next_renewal_at: datetime
    releases: Sequence[Release]
    raised_refill: Decimal | None


def kind_of(*, subscription: Subscription | None, plan_version: PlanVersion) -> Kind:
    """Return how one gets from what is in force to a version: prices by the month decide."""
    price = plan_version.monthly_price.amount
    if subscription is None or (price and not subscription.plan_version.monthly_price.amount):
        return Kind.START
    return (
        Kind.UPGRADE if price > subscription.plan_version.monthly_price.amount else Kind.DOWNGRADE
    )


def check_may_change(
    *, account: Account, plan_version: PlanVersion, now: datetime
) -> Subscription | None:
    """Return the subscription in force, if any, from which the account may move to a version now.

    Raises ValidationError, saying what to do, when it can't.
    """
    due = Renewal.objects.filter(subscription=OuterRef("pk"), status=RenewalStatus.DUE)
    subscription = subscriptions.in_force(account=account).annotate(is_unpaid=Exists(due)).first()
    if subscription is None:
        return None
    if subscription.plan_version_id == plan_version.pk:
        name = subscription.plan_version.plan.name
        raise ValidationError(_("You are on %(plan)s already.") % {"plan": name})
    check_is_at_rest(
        subscription=subscription,
        is_unpaid=subscription.is_unpaid,
        under_way=under_way(account=account),
        now=now,
    )
    check_is_kept(subscription=subscription, plan_version=plan_version)
    return subscription


def check_is_at_rest(
    *,
    subscription: Subscription,
    is_unpaid: bool,
    under_way: Sequence[Transaction],
    now: datetime,
) -> None:
    """Raise ValidationError, saying what to do, while no other plan may be moved to.

    `is_unpaid`: a period of it is due.
    """
    if is_unpaid:
        name = subscription.plan_version.plan.name
        raise ValidationError(
            _("Your %(plan)s renewal is not paid yet. Pay it first.") % {"plan": name}
        )
    if subscription.current_period_end and subscription.current_period_end <= now:
        raise ValidationError(PERIOD_BEGINS)
    if under_way:
        raise ValidationError(_UNDER_WAY)


def check_is_kept(*, subscription: Subscription, plan_version: PlanVersion) -> None:
    """Raise ValidationError for what a plan that is canceled must be kept for first."""
    kind = kind_of(subscription=subscription, plan_version=plan_version)
    if subscription.cancel_at_period_end and kind != Kind.START:
        name = subscription.plan_version.plan.name
        raise ValidationError(
            _("%(plan)s is canceled. Keep the plan first, then change it.") % {"plan": name}
        )


def check_nothing_under_way(*, account: Account) -> None:
    """Raise ValidationError while a payment for the plan or a rental is open."""
    if under_way(account=account):
        raise ValidationError(_UNDER_WAY)


def under_way(*, account: Account) -> list[Transaction]:
    """Return the open payments for the plan or a rental."""
    return list(
        Transaction.objects.filter(
            account=account,
            status__in=OPEN_STATUSES,
            purpose__in=[Purpose.RENEWAL, Purpose.PLAN_CHANGE, Purpose.RENTAL],
        )
    )


def quote(
    *,
    account: Account,
    plan_version: PlanVersion,
    at: datetime,
    subscription: Subscription | None = None,
) -> Quote:
    """Return what moving to a version comes to at a moment, to the second.

    `subscription` is the one in force, when it is at hand.
    """
    at = at.replace(microsecond=0)
    subscription = subscription or subscriptions.current(account=account)
    kind = kind_of(subscription=subscription, plan_version=plan_version)
    versions = [plan_version, *([subscription.plan_version] if subscription else [])]
    prices = period_costs.rental_prices(versions)
    held = period_costs.rentals_held(account=account)
    period, lines, next_lines = _price(
        kind,
        account=account,
        subscription=subscription,
        plan_version=plan_version,
        prices=prices,
        held=held,
        at=at,
    )
    lines_total = charging.total_of(lines)
    too_little = kind == Kind.UPGRADE and lines_total < SMALLEST_CHARGE
    minimum = plan_version.minimum_top_up.amount
    below = refill_adjustments.below(account=account, minimum=minimum)
    return Quote(
        kind=kind,
        plan_version=plan_version,
        subscription=subscription,
        at=at,
        period=period,
        lines=lines,
        lines_total=lines_total,
        price=charging.quote(Decimal(0) if too_little else lines_total, account=account),
        next_lines=next_lines,
        next_price=charging.quote(charging.total_of(next_lines), account=account),
        next_renewal_at=period.end,
        releases=period_costs.releases(
            held=period_costs.staying_of(held),
            plan_version=plan_version,
            prices=prices[plan_version.pk],
        ),
        raised_refill=minimum if below else None,
    )


def _price(
    kind: Kind,
    *,
    account: Account,
    subscription: Subscription | None,
    plan_version: PlanVersion,
    prices: Mapping[int, Sequence[FeaturePrice]],
    held: Sequence[Rental],
    at: datetime,
) -> tuple[periods.Period, list[NewLine], list[NewLine]]:
    """Return the period that is paid for, and what is charged now and next."""
    after = period_costs.after_renewal_of(
        held, plan_version=plan_version, prices=prices[plan_version.pk]
    )
    if subscription is None or subscription.anchor is None or kind == Kind.START:
        first = subscriptions.preview(
            account=account,
            subscription=subscription,
            plan_version=plan_version,
            prices=prices,
            held=held,
            now=at,
        )
        following = periods.period(first.period.start, 2)
        period, lines = first.period, list(first.lines)
    else:
        period = periods.period(subscription.anchor, subscription.current_period_number)
        following = periods.period(subscription.anchor, period.number + 1)
        lines = []
        if kind == Kind.UPGRADE:
            lines = proration.change_lines(
                before=subscription.plan_version,
                after=plan_version,
                held=held,
                prices=prices,
                period=period,
                at=at,
            )
    next_lines = period_costs.period_lines(
        plan_version=plan_version,
        period=following,
        held=after,
        prices=prices[plan_version.pk],
    )
    return period, lines, next_lines


def seal(quote: Quote, *, account: Account) -> str:
    """Return the quote as a page carries it: its moment and what it came to, signed."""
    return quotes.sign(
        account=account,
        subject=f"plan:{quote.plan_version.pk}",
        price=quote.price,
        moment=quote.at,
        details=_condensed(quote),
    )


def reopen(*, account: Account, plan_version: PlanVersion, sealed: str, now: datetime) -> Quote:
    """Return the quote that was shown, computed again for its moment.

    Call it under the account's lock. Raises QuoteExpired when it is too old, was not signed here,
    or comes to something else by now.
    """
    agreed = quotes.read(sealed, account=account, subject=f"plan:{plan_version.pk}", now=now)
    again = quote(account=account, plan_version=plan_version, at=agreed.moment)
    agreed.check(again.price)
    if agreed.details != _condensed(again):
        raise quotes.QuoteExpired
    return again


def _condensed(quote: Quote) -> str:
    """Return what a quote says beside its price: whatever the customer sees must be in it."""
    content = [
        str(quote.kind),
        quote.subscription.pk if quote.subscription else None,
        quote.period.number,
        quote.period.end.isoformat(),
        [[line.description, str(line.amount)] for line in quote.lines],
        [[line.description, str(line.amount)] for line in quote.next_lines],
        str(quote.next_price.amount),
        [[release.feature.key, release.held, release.kept] for release in quote.releases],
        str(quote.raised_refill),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
