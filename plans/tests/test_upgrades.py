"""Upgrades: the difference for the rest of the period is charged, and they act at once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.models import Account, Card
from accounts.money import usd
from invoices.models import Status
from plans import (
    plan_changes,
    plan_quotes,
    quotes,
    renewals,
    versions,
)
from plans.models import (
    PlanChange,
    PlanChangeStatus,
    Renewal,
    Subscription,
    UsageRecord,
)
from plans.plan_quotes import Kind
from plans.tests.changing_plans import (
    DAY,
    END,
    HOUR,
    MINUTE,
    START,
    TWELFTH,
    allowance,
    assert_clean,
    hold,
    look,
    move,
    plan_of,
    told,
    use,
    written,
)
from plans.tests.subscribers import make_subscriber, subscription_of, version_of
from wallet.tests.factories import balance_of

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]


@pytest.fixture
def alice(add_card: AddCard) -> Account:
    """On starter, $29 a month, since 1 November."""
    return make_subscriber(add_card, "starter", now=START)


# Upgrades -------------------------------------------------------------------------------------
def test_an_upgrade_charges_the_difference_for_the_rest_of_the_period(alice: Account) -> None:
    """Eighteen of thirty days are left: $99 × 0.6 = $59.40 less $29 × 0.6 = $17.40."""
    quote = look(alice, "growth", at=TWELFTH)
    assert quote.kind == Kind.UPGRADE
    assert written(quote.lines) == [
        ("Growth plan", Decimal("59.40")),
        ("Unused: Starter plan", Decimal("-17.40")),
    ]
    assert {(line.period_start, line.period_end) for line in quote.lines} == {(TWELFTH, END)}

    agreed = move(alice, "growth", now=TWELFTH)

    paid = agreed.transaction
    assert paid is not None
    assert (paid.status, paid.amount.amount) == (Status.PAID, Decimal("42.00"))
    assert [(line.description, line.amount.amount) for line in paid.lines.all()] == written(
        quote.lines
    )
    assert plan_of(alice) == "growth"
    change = PlanChange.objects.get(account=alice)
    assert (change.status, change.effective_at) == (PlanChangeStatus.APPLIED, TWELFTH)
    assert told(alice, "plan_changed") == 1
    assert_clean(TWELFTH)


def test_the_anchor_and_the_period_stay_and_the_next_renewal_charges_the_new_price(
    alice: Account,
) -> None:
    move(alice, "growth", now=TWELFTH)
    current = subscription_of(alice)
    assert (current.anchor, current.current_period_number) == (START, 1)
    renewals.renew_due(now=END)
    second = Renewal.objects.get(account=alice, number=2)
    assert (second.plan_version.plan.slug, second.amount.amount) == ("growth", 99)
    assert_clean(END)


def test_what_was_paid_for_the_period_is_not_rewritten(alice: Account) -> None:
    move(alice, "growth", now=TWELFTH)
    first = subscription_of(alice).renewals.get()
    assert (first.plan_version.plan.slug, first.amount.amount) == ("starter", 29)


@pytest.mark.parametrize(
    ("at", "dollars"),
    [
        (START, "70.00"),
        (START + timedelta(seconds=1), "70.00"),  # 69.99997
        (START + 15 * DAY, "35.00"),
        (END - DAY, "2.33"),  # 2.3333
        (END - 12 * HOUR, "1.17"),  # 1.1667
        (END - 7 * HOUR, "0.68"),  # 0.6806
    ],
)
def test_the_rest_is_counted_in_whole_seconds_half_up_to_a_cent(
    alice: Account, at: datetime, dollars: str
) -> None:
    assert look(alice, "growth", at=at).price.net == Decimal(dollars)


@pytest.mark.parametrize(
    ("anchor", "at", "dollars"),
    [
        # 31 January to 28 February is 28 days; fourteen are left.
        (datetime(2027, 1, 31, tzinfo=UTC), datetime(2027, 2, 14, tzinfo=UTC), "35.00"),
        # In a leap year the same period has 29: 15 of 29 are left.
        (datetime(2028, 1, 31, tzinfo=UTC), datetime(2028, 2, 14, tzinfo=UTC), "36.21"),
        # A period in which clocks change in the customer's town is as long as it is in UTC.
        (datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 3, 16, 12, tzinfo=UTC), "35.00"),
    ],
)
def test_months_of_any_length(
    add_card: AddCard, anchor: datetime, at: datetime, dollars: str
) -> None:
    account = make_subscriber(add_card, "starter", now=anchor)
    Account.objects.filter(pk=account.pk).update(timezone="Europe/Berlin")
    assert move(account, "growth", now=at).transaction.amount.amount == Decimal(dollars)  # type: ignore[union-attr]


def test_what_would_be_too_little_to_charge_is_waived_and_acts_at_once(alice: Account) -> None:
    late = END - 6 * HOUR  # $0.58
    quote = look(alice, "growth", at=late)
    assert (quote.lines_total, quote.price.net) == (Decimal("0.58"), 0)
    agreed = move(alice, "growth", now=late)
    assert agreed.transaction is None
    assert plan_of(alice) == "growth"
    assert_clean(late)


def test_the_allowance_becomes_the_new_one_less_what_was_used(alice: Account) -> None:
    """130 minutes: 100 included, 30 billed. Growth includes 500: 400 are left."""
    use(alice, 130, START + DAY)
    move(alice, "growth", now=TWELFTH)
    assert allowance(alice) == (500, 100)
    assert allowance(alice, "llm_tokens") == (1000, 0)  # starter includes none
    result = use(alice, 401, TWELFTH + HOUR)
    assert (result.included_quantity, result.amount) == (400, Decimal("0.10"))
    assert_clean(TWELFTH + HOUR)


def test_where_the_new_version_includes_less_than_was_used_nothing_is_left_or_taken_back(
    alice: Account,
) -> None:
    use(alice, 80, START + DAY)
    growth = versions.draft_from(version=version_of("growth"))
    growth.prices.filter(feature__key="call_minutes").update(included_quantity=50)
    versions.publish(version=growth, by=None, reason="Sold now", now=START)
    move(alice, "growth", now=TWELFTH)
    assert allowance(alice) == (80, 80)
    assert_clean(TWELFTH)


def test_late_usage_is_rated_by_the_version_in_force_when_it_occurred(alice: Account) -> None:
    """Nothing is left of the allowance: the price tells by which version a record was rated."""
    use(alice, 100, START + DAY)
    move(alice, "growth", now=TWELFTH)
    use(alice, 400, TWELFTH + HOUR)
    later = TWELFTH + DAY
    before = use(alice, 10, TWELFTH - MINUTE, now=later)
    after = use(alice, 10, TWELFTH, now=later)
    assert (before.amount, after.amount) == (Decimal("1.20"), Decimal("1.00"))
    rated = UsageRecord.objects.filter(account=alice).order_by("-pk")[:2]
    assert [record.plan_version.plan.slug for record in rated] == ["growth", "starter"]


def test_late_usage_of_an_earlier_version_still_draws_from_the_periods_allowance(
    alice: Account,
) -> None:
    move(alice, "growth", now=TWELFTH)
    result = use(alice, 120, START + DAY, now=TWELFTH + DAY)
    assert (result.included_quantity, result.billed_quantity) == (120, 0)


def test_two_upgrades_in_a_period_add_up(add_card: AddCard, alice: Account) -> None:
    move(alice, "growth", now=START + 10 * DAY)
    Subscription.objects.create(  # once on enterprise, it is offered to this account
        account=alice,
        plan_version=version_of("enterprise"),
        status="canceled",
        created_at=START,
    )
    second = move(alice, "enterprise", now=START + 20 * DAY)
    assert written(second.quote.lines) == [
        ("Enterprise plan", Decimal("333.00")),
        ("Unused: Growth plan", Decimal("-33.00")),
    ]
    assert allowance(alice)[0] == 10_000
    for days, unit_price in ((5, "0.12"), (15, "0.10"), (25, "0.07")):
        use(alice, 1, START + days * DAY, now=START + 26 * DAY)
        record = UsageRecord.objects.filter(account=alice).order_by("pk").last()
        assert record is not None
        assert record.unit_price == Decimal(unit_price)


def test_a_tier_counts_what_was_billed_in_the_whole_period(alice: Account) -> None:
    use(alice, 5100, START + DAY)  # 5,000 billed beyond the 100 included
    move(alice, "growth", now=TWELFTH)
    result = use(alice, 401, TWELFTH + HOUR)  # one beyond what is left of 500: in growth's tier
    assert result.amount == Decimal("0.09")


# What was shown is what is charged --------------------------------------------------------------
def test_a_quote_holds_for_ten_minutes(alice: Account) -> None:
    seen_at = START + 15 * DAY
    agreed = move(alice, "growth", now=seen_at + 10 * MINUTE, seen_at=seen_at)
    assert agreed.transaction is not None
    assert agreed.transaction.amount.amount == Decimal("35.00")


def test_an_older_quote_is_shown_anew(alice: Account) -> None:
    with pytest.raises(quotes.QuoteExpired, match="look at it again"):
        move(alice, "growth", now=TWELFTH + 11 * MINUTE, seen_at=TWELFTH)
    assert plan_of(alice) == "starter"


def test_a_rental_taken_meanwhile_changes_the_total(alice: Account) -> None:
    sealed = plan_quotes.seal(look(alice, "growth", at=TWELFTH), account=alice)
    hold(alice, "phone_number", 5, TWELFTH + MINUTE)
    with pytest.raises(quotes.QuoteExpired):
        plan_changes.agree(
            account=alice,
            plan_version=version_of("growth"),
            sealed=sealed,
            by=None,
            now=TWELFTH + 2 * MINUTE,
        )
    assert not PlanChange.objects.exists()


@pytest.mark.parametrize("plan", ["enterprise", "payg"])
def test_a_quote_of_another_plan_is_not_agreed_to(alice: Account, plan: str) -> None:
    with pytest.raises(quotes.QuoteExpired):
        plan_changes.agree(
            account=alice,
            plan_version=version_of(plan),
            sealed=plan_quotes.seal(look(alice, "growth", at=TWELFTH), account=alice),
            by=None,
            now=TWELFTH,
        )


def test_a_moment_of_ones_own_choice_is_not_agreed_to(alice: Account) -> None:
    with pytest.raises(quotes.QuoteExpired):
        plan_changes.agree(
            account=alice, plan_version=version_of("growth"), sealed="x:y:z", by=None, now=TWELFTH
        )


# Rentals ----------------------------------------------------------------------------------------
def test_rentals_held_are_priced_anew_for_the_rest_of_the_period(alice: Account) -> None:
    """Five numbers: $15.00 a month on starter; on growth two are included, $7.50."""
    hold(alice, "phone_number", 5, START)
    quote = look(alice, "growth", at=TWELFTH)
    assert written(quote.lines) == [
        ("Growth plan", Decimal("59.40")),
        ("Unused: Starter plan", Decimal("-17.40")),
        ("Phone number (5 held, 2 included)", Decimal("4.50")),
        ("Unused: Phone number", Decimal("-9.00")),
    ]
    assert quote.price.net == Decimal("37.50")
    assert move(alice, "growth", now=TWELFTH).transaction.amount == usd("37.50")  # type: ignore[union-attr]
    renewals.renew_due(now=END)
    assert Renewal.objects.get(account=alice, number=2).amount.amount == Decimal("106.50")


def test_what_lower_prices_give_back_beyond_the_charge_is_not_paid_out(alice: Account) -> None:
    """Sixty seats: 59 × $12.00 = $708.00 on starter, 57 × $10.00 = $570.00 on growth."""
    hold(alice, "user_seat", 60, START)
    quote = look(alice, "growth", at=TWELFTH)
    assert (quote.lines_total, quote.price.net) == (Decimal("-40.80"), 0)
    assert move(alice, "growth", now=TWELFTH).transaction is None
    assert plan_of(alice) == "growth"
    assert balance_of(alice) == 0
