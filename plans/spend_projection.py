"""What usage will have cost by the end of a period: pure arithmetic.

Quantities are projected, not dollars: a period that begins within its allowances costs nothing at
first and something later, and a line through its costs would promise too little. Each consumable
goes on at its pace in this period (`run_out.projected`, as its meter says); what is left of its
allowance comes first, what goes beyond it costs the plan's price, volume tiers included.
All amounts are USD.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from plans import pricing, run_out
from plans.models import Allowance, FeaturePrice, Renewal


def projected_spend(
    *,
    spent: Decimal,
    prices: Iterable[FeaturePrice],
    tiers: Mapping[int, Sequence[pricing.Tier]],
    allowances: Mapping[int, Allowance],
    renewal: Renewal,
    now: datetime,
) -> Decimal | None:
    """Return what will be spent by the period's end, `spent` so far; None when it is too new.

    `tiers` are by the id of the feature, and so are `allowances`, which say how much was used.
    """
    total = spent
    for price in prices:
        allowance = allowances.get(price.feature_id)
        if allowance is None:
            continue
        projected = run_out.projected(allowance=allowance, renewal=renewal, now=now)
        if projected is None:
            return None
        total += pricing.rate(
            quantity=max(Decimal(0), projected - allowance.used - allowance.billed_quantity),
            included_remaining=allowance.included - allowance.used,
            billed_before=allowance.billed_quantity,
            unit_price=price.unit_price.amount,
            tiers=tiers.get(price.feature_id, ()),
        ).amount
    return total if now - renewal.period_start >= run_out.SHORTEST else None
