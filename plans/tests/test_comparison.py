"""What each plan would have cost: worked by hand on the seed catalogue's prices."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.models import Account, Card
from accounts.tests.factories import make_account
from invoices.models import Status, Transaction
from plans import catalogue, comparison, rentals, subscriptions
from plans.comparison import Basis, Comparison, PlanCost
from plans.models import Renewal, UsageRecord
from plans.renewals import renew_due
from plans.tests.changing_plans import END, START, TWELFTH, hold, move, use
from plans.tests.subscribers import feature, make_subscriber, subscription_of

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]
JANUARY = datetime(2027, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """On growth since 1 November."""
    return make_subscriber(add_card, "growth", now=START)


def based_on(account: Account, asked: int = 1, *, now: datetime) -> Basis:
    return comparison.basis(account=account, asked=asked, now=now)


def compare(account: Account, asked: int = 1, *, now: datetime) -> Comparison:
    """Price the plans that the account may choose."""
    versions = subscriptions.offered_to(account=account)
    current = subscriptions.current(account=account)
    return comparison.compare(
        based_on(account, asked, now=now),
        versions=versions,
        prices=comparison.price_lists(versions=versions),
        current=current.plan_version if current else None,
    )


def amounts(compared: Comparison) -> dict[str, Decimal]:
    """Return what each plan comes to."""
    return {plan.plan_version.plan.slug: plan.amount for plan in compared.plans}


def plan_of(compared: Comparison, slug: str) -> PlanCost:
    return next(plan for plan in compared.plans if plan.plan_version.plan.slug == slug)


def test_the_last_month_on_each_plan(alice: Account) -> None:
    use(alice, 600, START + HOUR)
    use(alice, 40, TWELFTH)
    renew_due(now=END)

    compared = compare(alice, now=END + HOUR)

    assert amounts(compared) == {
        "payg": Decimal("96.00"),  # 640 × $0.15
        "starter": Decimal("93.80"),  # $29 + 540 × $0.12
        "growth": Decimal("113.00"),  # $99 + 140 × $0.10
    }
    assert compared.cheapest == plan_of(compared, "starter")
    assert compared.current == plan_of(compared, "growth")
    assert not based_on(alice, now=END + HOUR).is_running
    [minutes] = plan_of(compared, "starter").features
    assert (minutes.quantity, minutes.billed, minutes.amount) == (640, 540, Decimal("64.80"))


def test_no_plan_is_cheaper_than_the_own_one_at_the_same_amount(add_card: AddCard) -> None:
    bob = make_subscriber(add_card, "starter", now=START)
    use(bob, "566.666667", TWELFTH)  # × $0.15, or $29 and 466.666667 × $0.12: $85.00
    renew_due(now=END)

    compared = compare(bob, now=END)

    assert amounts(compared)["payg"] == amounts(compared)["starter"] == Decimal(85)
    assert compared.cheapest == compared.current


def test_volume_tiers_begin_anew_in_each_period(alice: Account) -> None:
    use(alice, 12_000, TWELFTH)
    renew_due(now=END)
    use(alice, 6_000, END + HOUR)
    renew_due(now=JANUARY)

    compared = compare(alice, 3, now=JANUARY)

    assert len(based_on(alice, 3, now=JANUARY).periods) == 2
    assert amounts(compared) == {
        "payg": Decimal("2700.00"),  # 18,000 × $0.15
        # 2 × $29 + (11,900 + 5,900) × $0.12
        "starter": Decimal("2194.00"),
        # 2 × $99 + 5,000 × $0.10 + 6,500 × $0.09, and 5,000 × $0.10 + 500 × $0.09
        "growth": Decimal("1828.00"),
    }
    assert compared.cheapest == compared.current


def test_the_own_plan_comes_to_what_was_charged(alice: Account) -> None:
    for minutes in ("500", "0.333333", "0.333333", "0.333333", "77.25", "9500"):
        use(alice, minutes, START + HOUR)
    hold(alice, "phone_number", 5, TWELFTH)
    hold(alice, "phone_number", 9, TWELFTH + 5 * HOUR)
    hold(alice, "user_seat", 2, TWELFTH)
    renew_due(now=END)
    november = Renewal.objects.get(subscription=subscription_of(alice), number=1)
    charged = sum(
        (record.amount for record in UsageRecord.objects.filter(renewal=november)), Decimal(0)
    )
    paid = Transaction.objects.filter(account=alice, status=Status.PAID, created_at__lt=END)
    charged += sum((each.net_amount.amount for each in paid), Decimal(0))

    compared = compare(alice, now=END)

    assert compared.current is not None
    # Three records were each rounded to a millionth; their sum is rounded once.
    assert abs(compared.current.amount - charged) <= 3 * Decimal("0.0000005")


def test_rentals_cost_from_the_day_they_were_taken_and_what_was_let_go_is_not_given_back(
    alice: Account,
) -> None:
    hold(alice, "phone_number", 5, TWELFTH)
    rentals.set_quantity(
        account=alice, feature=feature("phone_number"), quantity=1, now=TWELFTH + HOUR
    )
    renew_due(now=END)
    renew_due(now=JANUARY)

    november, both = compare(alice, now=END), compare(alice, 3, now=JANUARY)

    # 18 of 30 days: 3 billed × $2.50 on growth, 5 × $3.00 on starter.
    assert [each.amount for each in plan_of(november, "growth").features] == [Decimal("4.50")]
    assert [each.amount for each in plan_of(november, "starter").features] == [Decimal("9.00")]
    # In December one is held: included in growth.
    assert [each.amount for each in plan_of(both, "growth").features] == [Decimal("4.50")]
    [numbers] = plan_of(both, "starter").features
    assert (numbers.quantity, numbers.billed, numbers.amount) == (5, 5, Decimal("12.00"))


def test_a_plan_without_what_was_held_says_so_and_is_not_the_cheapest(alice: Account) -> None:
    hold(alice, "whitelabel_license", 1, START + HOUR)
    hold(alice, "call_concurrency", 15, START + HOUR)
    renew_due(now=END)

    compared = compare(alice, now=END)

    assert compared.cheapest == plan_of(compared, "growth")
    lacking = {
        plan.plan_version.plan.slug: [
            (each.feature.key, each.held, each.most) for each in plan.lacking
        ]
        for plan in compared.plans
    }
    assert lacking == {
        "payg": [("call_concurrency", 15, 10), ("whitelabel_license", 1, None)],
        "starter": [("whitelabel_license", 1, None)],
        "growth": [],
    }


def test_before_a_period_has_ended_the_one_that_runs_is_priced_as_it_stands(
    alice: Account,
) -> None:
    use(alice, 100, START + HOUR)

    basis = based_on(alice, 6, now=TWELFTH)

    assert (basis.is_running, len(basis.periods)) == (True, 1)
    assert amounts(compare(alice, 6, now=TWELFTH))["payg"] == Decimal("15.00")


def test_a_period_that_a_change_of_plan_cut_short_is_left_out(add_card: AddCard) -> None:
    alice = make_subscriber(add_card, "payg", now=START)
    use(alice, 1000, START + HOUR)
    move(alice, "growth", now=TWELFTH)
    use(alice, 700, TWELFTH + HOUR)
    in_a_month = datetime(2026, 12, 13, tzinfo=UTC)
    renew_due(now=in_a_month)

    basis = based_on(alice, 6, now=in_a_month)

    assert [renewal.period_start for renewal in basis.periods] == [TWELFTH]
    assert amounts(compare(alice, 6, now=in_a_month))["growth"] == Decimal("119.00")


def test_a_period_without_usage_costs_the_monthly_price(alice: Account) -> None:
    renew_due(now=END)

    assert amounts(compare(alice, now=END)) == {"payg": 0, "starter": 29, "growth": 99}


def test_without_a_plan_ever_there_is_nothing_to_price() -> None:
    catalogue.load(now=START)
    account = make_account()

    assert based_on(account, now=TWELFTH).periods == []
    assert compare(account, now=TWELFTH).current is None
