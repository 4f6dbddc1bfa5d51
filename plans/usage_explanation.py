"""Why one usage record was charged: from what is stored with it, true whatever came later.

A record keeps what was left of the allowance, what was billed before it and the balance, as they
were when it was rated, under the wallet's lock. What is not of the record but of its plan version
(tiers, included quantity) never changes. All amounts are USD.
"""

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from enum import Enum

from django.db.models import Q

from plans import pricing
from plans.models import FeaturePrice, PlanChange, PlanChangeStatus, UsageRecord

#: Enough digits for any quantity × price.
_EXACT = Context(prec=60)


class Reason(Enum):
    """Why it cost what it cost."""

    NOTHING_USED = "nothing_used"
    INCLUDED = "included"
    PARTLY_INCLUDED = "partly_included"
    ALLOWANCE_USED = "allowance_used"
    RENEWAL_UNPAID = "renewal_unpaid"
    NOT_INCLUDED = "not_included"


@dataclass(frozen=True, slots=True)
class PricedPart:
    """Billed units at one price; `discount_percent` of the tier they fall in.

    `amount` is exact: only the sum of all parts is rounded.
    """

    units: Decimal
    price: Decimal
    discount_percent: Decimal
    above_quantity: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Explanation:
    """What led to a record's amount. `exact_amount` is what `amount` was rounded from.

    `granted` is what the period included when the record was rated.
    """

    record: UsageRecord
    reason: Reason
    granted: Decimal
    included_after: Decimal
    parts: tuple[PricedPart, ...]
    exact_amount: Decimal

    @property
    def is_rounded(self) -> bool:
        """Whether the parts come to a little more or less than what was charged."""
        return self.exact_amount != self.record.amount


def explain(*, record: UsageRecord) -> Explanation:
    """Return what led to the record's amount; its feature, renewal and plan are read with it."""
    prices = _prices(record)
    price = prices.get(record.plan_version_id)
    tiers = [
        pricing.Tier(tier.above_quantity, tier.discount_percent)
        for tier in (price.tiers.all() if price else ())
    ]
    granted = _granted(record, prices)
    parts = _parts(record, tiers)
    with localcontext(_EXACT):
        exact = sum((part.amount for part in parts), Decimal(0))
    return Explanation(
        record=record,
        reason=_reason(record, granted),
        granted=granted,
        included_after=record.included_before - record.included_quantity,
        parts=parts,
        exact_amount=exact,
    )


def _prices(record: UsageRecord) -> dict[int, FeaturePrice]:
    """The feature's price in every version that held in the record's period."""
    changed = PlanChange.objects.filter(
        account_id=record.account_id,
        renewal_id=record.renewal_id,
        status=PlanChangeStatus.APPLIED,
    )
    found = FeaturePrice.objects.filter(
        Q(version_id__in=[record.plan_version_id, record.renewal.plan_version_id])
        | Q(version__in=changed.values("to_version")),
        feature_id=record.feature_id,
    ).prefetch_related("tiers")
    return {price.version_id: price for price in found}


def _granted(record: UsageRecord, prices: dict[int, FeaturePrice]) -> Decimal:
    """What the period included by then: nothing until it was paid; then what the plan did."""
    renewal = record.renewal
    # What was left proves that it was granted: clocks of two processes differ a little.
    if _is_unpaid(record) and record.included_before == 0:
        return Decimal(0)
    changes = PlanChange.objects.filter(
        account_id=record.account_id,
        renewal_id=record.renewal_id,
        status=PlanChangeStatus.APPLIED,
        effective_at__lte=record.recorded_at,
    )
    last = changes.order_by("-effective_at", "-id").values_list("to_version_id", flat=True).first()
    price = prices.get(last or renewal.plan_version_id)
    included = price.included_quantity if price else Decimal(0)
    return max(included, record.included_before)


def _parts(record: UsageRecord, tiers: list[pricing.Tier]) -> tuple[PricedPart, ...]:
    begins = record.billed_before
    parts = []
    with localcontext(_EXACT):
        for units, price in pricing.split_by_price(
            record.billed_quantity,
            billed_before=record.billed_before,
            unit_price=record.unit_price,
            tiers=tiers,
        ):
            reached = [tier for tier in tiers if tier.above_quantity <= begins]
            tier = max(reached, key=lambda tier: tier.above_quantity, default=None)
            parts.append(
                PricedPart(
                    units=units,
                    price=price,
                    discount_percent=tier.discount_percent if tier else Decimal(0),
                    above_quantity=tier.above_quantity if tier else Decimal(0),
                    amount=units * price,
                )
            )
            begins += units
    return tuple(parts)


def _reason(record: UsageRecord, granted: Decimal) -> Reason:
    if record.quantity == 0:
        return Reason.NOTHING_USED
    if record.billed_quantity == 0:
        return Reason.INCLUDED
    if record.included_quantity > 0:
        return Reason.PARTLY_INCLUDED
    if granted > 0:
        return Reason.ALLOWANCE_USED
    return Reason.RENEWAL_UNPAID if _is_unpaid(record) else Reason.NOT_INCLUDED


def _is_unpaid(record: UsageRecord) -> bool:
    paid_at = record.renewal.paid_at
    return paid_at is None or paid_at > record.recorded_at
