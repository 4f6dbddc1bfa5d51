"""What a version would earn, as staff read it before they publish it."""

from decimal import Decimal

from billing_portal.admin.version_actions import earnings_table
from plans.version_preview import Earnings, Side


def test_what_would_change_is_the_difference_of_what_is_shown() -> None:
    """To the cent it was $117.47, $129.07 and a change of $11.61."""
    earned = Earnings(
        accounts=1,
        priced=1,
        before=Side(monthly=Decimal(99), usage=Decimal("18.465")),
        after=Side(monthly=Decimal(109), usage=Decimal("20.0745")),
        pay_more=1,
        pay_less=0,
        lacking=0,
        largest_rise=Decimal("11.6095"),
    )
    _, before, after, change = earnings_table(earned, new="Growth v2")["rows"][-1]
    assert "$117.465<" in before
    assert "$129.0745<" in after
    assert "$11.6095<" in change
