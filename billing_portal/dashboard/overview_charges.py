"""What a plan is charged for next, from what the Overview has read already."""

from collections.abc import Sequence

from invoices.charging import NewLine
from plans import past_due, renewal_charges
from plans.models import (
    FeaturePrice,
    PlanChange,
    Renewal,
    RenewalStatus,
    Subscription,
    SubscriptionStatus,
)


def unpaid_of(
    subscription: Subscription | None, renewal: Renewal | None, previous: Renewal | None
) -> Renewal | None:
    """Return the oldest renewal that is unpaid, nearly always that of the period under way."""
    if subscription is None or subscription.status != SubscriptionStatus.PAST_DUE:
        return None
    is_first = previous is None or previous.status != RenewalStatus.DUE
    if renewal is None or renewal.status != RenewalStatus.DUE or not is_first:
        return past_due.unpaid(account=subscription.account)
    renewal.account, renewal.subscription = subscription.account, subscription
    if renewal.plan_version_id == subscription.plan_version_id:
        renewal.plan_version = subscription.plan_version
    return renewal


def charges_of(
    subscription: Subscription | None,
    unpaid: Renewal | None,
    change: PlanChange | None,
    prices: Sequence[FeaturePrice],
) -> tuple[tuple[NewLine, ...], tuple[NewLine, ...]]:
    """Return what is charged for the unpaid period, or else what will be for the next one.

    `prices` are the rental prices of the version in force.
    """
    if subscription is None:
        return (), ()
    if unpaid is None:
        charged = renewal_charges.charge_after(
            subscription=subscription, change=change, prices=prices
        )
        return (), tuple(charged)
    is_in_force = unpaid.plan_version_id == subscription.plan_version_id
    lines = renewal_charges.lines_of(unpaid, prices=prices if is_in_force else None)
    return tuple(lines), ()
