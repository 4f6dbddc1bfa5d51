"""Where spend leads by the end of a period of thirty days."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from plans.models import Allowance, Feature, FeaturePrice, Renewal
from plans.pricing import Tier
from plans.spend_projection import projected_spend

START = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("included", "used", "billed", "days", "expected"),
    [
        # 10 minutes a day: 500 of the month's 300 are never reached.
        ("500", "100", "0", 10, "0"),
        # 40 a day are 1,200: the 200 beyond the allowance cost $20, though nothing did so far.
        ("1000", "400", "0", 10, "20.00"),
        # All was billed so far: $40 for 10 days are $120 for 30.
        ("0", "0", "400", 10, "120.00"),
        # 500 included days ago, 100 billed: 60 a day are 1,800, so 1,300 are billed.
        ("500", "500", "100", 10, "130.00"),
        # A day and a half say nothing.
        ("0", "0", "400", 1, None),
    ],
)
def test_quantities_are_projected_and_then_priced(
    included: str, used: str, billed: str, days: int, expected: str | None
) -> None:
    projected = of(included=included, used=used, billed=billed, days=days)

    assert projected == (None if expected is None else Decimal(expected))


def test_units_in_a_volume_tier_cost_less() -> None:
    # 1,200 minutes in all: 800 to come, of which 200 are beyond 1,000 at half the price.
    tiers = [Tier(Decimal(1000), Decimal(50))]

    assert of(included="0", used="0", billed="400", days=10, tiers=tiers) == Decimal(110)


def of(
    *, included: str, used: str, billed: str, days: int, tiers: list[Tier] | None = None
) -> Decimal | None:
    """A minute costs ten cents, and what was billed so far is spent."""
    feature = Feature(pk=1, name="Call minutes")
    return projected_spend(
        spent=Decimal(billed) / 10,
        prices=[FeaturePrice(feature=feature, unit_price="0.10", unit_price_currency="USD")],
        tiers={1: tiers or []},
        allowances={
            1: Allowance(
                feature=feature,
                included=Decimal(included),
                used=Decimal(used),
                billed_quantity=Decimal(billed),
            )
        },
        renewal=Renewal(period_start=START, period_end=START + 30 * DAY),
        now=START + days * DAY,
    )
