"""The state of the business by day, on a worked example."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.models import Account
from accounts.tests.factories import NOW, make_account
from billing_portal import business_days
from billing_portal.dashboard.tests import scenes
from billing_portal.models import BusinessDay
from invoices.models import Status
from invoices.tests.factories import make_transaction
from plans.models import Renewal
from wallet import ledger
from wallet.models import EntryKind
from wallet.tests.factories import make_wallet, post_usage

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MONDAY, TUESDAY, WEDNESDAY = date(2026, 11, 23), date(2026, 11, 24), date(2026, 11, 25)
#: Monday at half past nine.
ON_MONDAY, ON_TUESDAY, ON_WEDNESDAY = NOW, NOW + DAY, NOW + 2 * DAY


def sell(account: Account, amount: str, now: datetime) -> None:
    transaction = make_transaction(account, status=Status.PROCESSING, amount=amount, created_at=now)
    scenes.pay(transaction, now=now)


@pytest.fixture
def two_days() -> tuple[Account, Account]:
    """Alice buys $100 on Monday and uses $30; on Tuesday Bob, without credit, uses $12.50."""
    alice, bob = make_account(name="Alice Trading"), make_account(name="Bob Repairs")
    make_wallet(alice)
    make_wallet(bob)
    sell(alice, "100.00", ON_MONDAY)
    post_usage([(alice, "30.000001")], now=ON_MONDAY, name="monday")
    post_usage([(bob, "12.50")], now=ON_TUESDAY, name="tuesday")
    make_transaction(
        bob, status=Status.FAILED, amount="50.00", created_at=ON_TUESDAY, failed_at=ON_TUESDAY
    )
    return alice, bob


def test_each_day_is_summed_up_as_it_ended(two_days: tuple[Account, Account]) -> None:
    assert business_days.bring_up_to_date(now=ON_WEDNESDAY) == 3

    monday, tuesday, wednesday = business_days.newest(days=5)
    assert [day.day for day in (monday, tuesday, wednesday)] == [MONDAY, TUESDAY, WEDNESDAY]
    assert (monday.credit_sold, monday.credit_used) == (Decimal(100), Decimal("30.000001"))
    assert (monday.liability, monday.receivable) == (Decimal("69.999999"), 0)
    assert (monday.collected, monday.payments) == (100, 1)
    assert (tuesday.credit_sold, tuesday.credit_used) == (0, Decimal("12.50"))
    assert (tuesday.liability, tuesday.receivable) == (Decimal("69.999999"), Decimal("-12.50"))
    assert (tuesday.negative_wallets, tuesday.failed, tuesday.failures) == (1, 50, 1)
    assert (wednesday.collected, wednesday.credit_used) == (0, 0)
    assert wednesday.as_of == ON_WEDNESDAY


def test_today_grows_and_a_day_that_is_over_is_closed_once(
    two_days: tuple[Account, Account],
) -> None:
    alice, _ = two_days
    business_days.bring_up_to_date(now=ON_TUESDAY)
    ledger.post(
        account_id=alice.pk,
        kind=EntryKind.ADJUSTMENT,
        amount=Decimal(5),
        description="Goodwill",
        now=ON_TUESDAY + timedelta(hours=1),
    )
    assert business_days.bring_up_to_date(now=ON_TUESDAY + timedelta(hours=2)) == 1
    assert BusinessDay.objects.get(day=TUESDAY).liability == Decimal("74.999999")

    assert business_days.bring_up_to_date(now=ON_WEDNESDAY) == 2  # Tuesday's end, and Wednesday
    assert business_days.bring_up_to_date(now=ON_WEDNESDAY) == 1


def test_an_older_reading_never_replaces_a_newer_one(two_days: tuple[Account, Account]) -> None:
    business_days.sum_up(day=MONDAY, now=ON_WEDNESDAY)
    business_days.sum_up(day=MONDAY, now=ON_MONDAY - timedelta(hours=9))
    assert BusinessDay.objects.get(day=MONDAY).credit_sold == 100


def test_days_that_are_missing_are_made_up_for_a_few_at_a_time() -> None:
    make_account(created_at=NOW - 90 * DAY)
    assert business_days.bring_up_to_date(now=NOW) == business_days.AT_ONCE
    assert business_days.bring_up_to_date(now=NOW) == business_days.AT_ONCE
    while business_days.bring_up_to_date(now=NOW) > 1:
        pass
    oldest = business_days.newest(days=100)[0]
    assert oldest.day == MONDAY - business_days.KEPT_READY


def test_without_accounts_there_is_nothing_to_sum_up() -> None:
    assert business_days.bring_up_to_date(now=NOW) == 0


def test_recurring_revenue_is_what_the_periods_under_way_cost() -> None:
    growth, starter = scenes.plan_version("growth"), scenes.plan_version("starter")
    scenes.start_plan(make_wallet(make_account()).account, "growth", at=NOW)
    scenes.start_plan(make_wallet(make_account()).account, "starter", at=NOW + DAY)
    scenes.start_plan(make_wallet(make_account()).account, "payg", at=NOW)

    for days_later in (0, 1, 32):
        business_days.sum_up(day=MONDAY + days_later * DAY, now=NOW + 60 * DAY)
    monday, tuesday, later = business_days.newest(days=3)
    both = growth.monthly_price.amount + starter.monthly_price.amount
    assert (monday.monthly_recurring_revenue, monday.subscriptions) == (
        growth.monthly_price.amount,
        1,
    )
    assert (tuesday.monthly_recurring_revenue, tuesday.subscriptions) == (both, 2)
    # Their periods ended and none was opened.
    assert Renewal.objects.filter(number=2).count() == 0
    assert later.monthly_recurring_revenue == 0
