"""What a new version of a plan changes and would earn, on two customers worked out by hand."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Account, Card
from accounts.tests.factories import NOW
from plans import renewals, usage, version_preview, versions
from plans.models import PlanVersion
from plans.tests.factories import make_record
from plans.tests.subscribers import make_subscriber, version_of
from plans.version_preview import Side

pytestmark = pytest.mark.django_db

SECOND_PERIOD = NOW + timedelta(days=31)


@pytest.fixture
def draft(add_card: Callable[..., Card]) -> PlanVersion:
    """Growth for $119 instead of $99, with minutes at $0.20 beyond those included."""
    alice, bob = (make_subscriber(add_card, "growth") for _ in range(2))
    make_subscriber(add_card, "starter")
    included = version_of("growth").prices.get(feature__key="call_minutes").included_quantity
    use(alice, included + 100)
    use(bob, included / 2)
    renewals.renew_due(now=SECOND_PERIOD)
    draft = versions.draft_from(version=version_of("growth"))
    draft.monthly_price = 119
    draft.save()
    draft.refresh_from_db()
    minutes = draft.prices.get(feature__key="call_minutes")
    minutes.unit_price = "0.20"
    minutes.save()
    return draft


def use(account: Account, minutes: Decimal) -> None:
    at = NOW + timedelta(days=1)
    record = make_record(account, quantity=minutes, feature="call_minutes", occurred_at=at)
    usage.record(records=[record], now=at)


def test_only_what_differs_is_named(draft: PlanVersion) -> None:
    before = version_preview.in_force(version=draft)
    assert before == version_of("growth")
    old_price = before.prices.get(feature__key="call_minutes").unit_price.amount
    found = version_preview.differences(before=before, after=draft)
    assert [(each.subject, each.what, each.before, each.after) for each in found] == [
        ("Growth", "Monthly price", "$99.00", "$119.00"),
        ("Call minutes", "Unit price", f"${old_price:.2f}", "$0.20"),
    ]


def test_a_feature_that_comes_or_goes_is_named(draft: PlanVersion) -> None:
    draft.prices.filter(feature__key="phone_number").delete()
    before = version_preview.in_force(version=draft)
    assert before is not None
    found = version_preview.differences(before=before, after=draft)
    gone = [each for each in found if each.subject == "Phone number"]
    assert (gone[0].what, gone[0].before, gone[0].after) == ("Feature", "In the plan", "–")


def test_it_is_priced_on_the_last_whole_period_of_each_account(draft: PlanVersion) -> None:
    earned = version_preview.earnings(version=draft, now=SECOND_PERIOD)
    # Alice used 100 minutes beyond what is included, Bob none.
    before = version_preview.in_force(version=draft)
    assert before is not None
    old_price = before.prices.get(feature__key="call_minutes").unit_price.amount
    assert (earned.accounts, earned.priced) == (2, 2)
    assert earned.before == Side(monthly=Decimal(198), usage=100 * old_price)
    assert earned.after == Side(monthly=Decimal(238), usage=Decimal(20))
    assert (earned.pay_more, earned.pay_less, earned.lacking) == (2, 0, 0)
    assert earned.largest_rise == 40 - 100 * old_price


def test_before_a_whole_period_nothing_is_priced(add_card: Callable[..., Card]) -> None:
    make_subscriber(add_card, "growth")
    draft = versions.draft_from(version=version_of("growth"))
    earned = version_preview.earnings(version=draft, now=NOW + timedelta(days=3))
    assert (earned.accounts, earned.priced) == (1, 0)
