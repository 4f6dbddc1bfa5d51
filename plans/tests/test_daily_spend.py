"""What usage cost by day: worked examples of a shop that calls in June."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account
from accounts.tests.factories import NOW, make_account
from plans import daily_spend, usage
from plans.daily_spend import Group, Question, Spend, Sums
from plans.models import DailySpend, Renewal, SpendProgress, UsageRecord
from plans.tests.factories import make_record, make_subscription, make_version
from plans.usage_records import ParsedRecord
from wallet import ledger, statements

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def shop() -> Account:
    """Of each call the first minute is included once; a minute costs ten cents."""
    account = make_account(name="Shop")
    ledger.open_wallet(account=account, now=NOW)
    make_subscription(account, make_version(included="1"), anchor=NOW, number=1)
    return account


def call(account: Account, name: str, *, minutes: int, at: datetime) -> None:
    """Report a call when it happened."""
    record = ParsedRecord(
        id=name,
        account=str(account.pk),
        feature="call_minutes",
        quantity=Decimal(minutes),
        occurred_at=at,
    )
    usage.record(records=[record], now=max(at, NOW))


def spends(account: Account) -> list[Spend]:
    """What the current period's usage cost."""
    renewal = Renewal.objects.filter(account=account).latest("number")
    return costs_of(account, renewal)


def costs_of(account: Account, renewal: Renewal) -> list[Spend]:
    """What the usage rated in a period cost."""
    question = daily_spend.in_period(account=account, renewal=renewal, by=Group.FEATURE)
    return daily_spend.costs(daily_spend.answer(account=account, questions=[question])[0])


def on(days: int, amount: str) -> Spend:
    """So much spent on calls, so many days after the first."""
    return Spend(NOW.date() + days * DAY, "Call minutes", Decimal(amount))


def test_what_is_not_added_up_yet_is_in_the_answer(shop: Account) -> None:
    call(shop, "call-1", minutes=11, at=NOW)
    call(shop, "call-2", minutes=5, at=NOW)
    call(shop, "call-3", minutes=3, at=NOW + 2 * DAY)
    expected = [on(0, "1.50"), on(2, "0.30")]
    assert spends(shop) == expected

    daily_spend.add_up(account_id=shop.pk)

    assert [row.amount for row in DailySpend.objects.order_by("day")] == [
        Decimal("1.50"),
        Decimal("0.30"),
    ]
    assert spends(shop) == expected
    call(shop, "call-4", minutes=7, at=NOW + 2 * DAY)
    assert spends(shop) == [on(0, "1.50"), on(2, "1.00")]
    daily_spend.add_up(account_id=shop.pk)
    daily_spend.add_up(account_id=shop.pk)
    assert spends(shop) == [on(0, "1.50"), on(2, "1.00")]


def test_records_are_added_up_a_part_at_a_time(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_spend, "AT_ONCE", 2)
    for number in range(5):
        call(shop, f"call-{number}", minutes=2, at=NOW)

    assert [daily_spend.add_up(account_id=shop.pk) for _ in range(4)] == [2, 2, 1, 0]

    assert spends(shop) == [on(0, "0.90")]


def test_only_accounts_with_records_enough_are_added_up(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_spend, "LEFT_TO_READERS", 2)
    for number in range(2):
        call(shop, f"call-{number}", minutes=2, at=NOW)
    assert daily_spend.add_up_due() == 0
    call(shop, "call-2", minutes=2, at=NOW)

    assert daily_spend.add_up_due() == 1
    assert daily_spend.add_up_due() == 0

    newest = UsageRecord.objects.latest("pk")
    assert SpendProgress.objects.get().through_id == newest.pk


def test_a_late_call_belongs_to_the_day_and_period_in_which_it_was_made(shop: Account) -> None:
    call(shop, "call-1", minutes=11, at=NOW)
    daily_spend.add_up(account_id=shop.pk)
    next_period = NOW + 40 * DAY
    call(shop, "call-2", minutes=4, at=next_period)
    late = ParsedRecord(
        id="late",
        account=str(shop.pk),
        feature="call_minutes",
        quantity=Decimal(2),
        occurred_at=NOW + 9 * DAY,
    )
    usage.record(records=[late], now=next_period)
    daily_spend.add_up(account_id=shop.pk)

    assert spends(shop) == [Spend(next_period.date(), "Call minutes", Decimal("0.30"))]
    first = Renewal.objects.get(account=shop, number=1)
    assert costs_of(shop, first) == [on(0, "1.00"), on(9, "0.20")]


def test_days_are_the_account_s_own_and_follow_its_timezone(shop: Account) -> None:
    before_midnight = (NOW + DAY).replace(hour=21, minute=0)
    call(shop, "call-1", minutes=11, at=before_midnight)
    daily_spend.add_up(account_id=shop.pk)
    utc_day: date = before_midnight.date()
    assert [spend.day for spend in spends(shop)] == [utc_day]

    shop.timezone = ZoneInfo("Asia/Muscat")
    shop.save()
    assert daily_spend.add_up_due() == 1

    assert [spend.day for spend in spends(shop)] == [utc_day + DAY]
    assert DailySpend.objects.count() == 1


def test_free_calls_quantities_and_workspaces_are_in_the_sums(shop: Account) -> None:
    for number, workspace in enumerate(["Ruwi", "Ruwi", ""]):
        record = make_record(shop, 1, id=f"call-{number}", workspace=workspace, occurred_at=NOW)
        usage.record(records=[record], now=NOW)
    read_live = sums(shop)
    daily_spend.add_up(account_id=shop.pk)

    assert sums(shop) == read_live == {"Ruwi": ("0.10", 2, 2), "": ("0.10", 1, 1)}


def sums(account: Account) -> dict[str, tuple[str, int, int]]:
    """Amount, quantity and calls of the day by workspace."""
    found = daily_spend.of_days(
        account=account, first=NOW.date(), last=NOW.date(), by=Group.WORKSPACE
    )
    assert found.is_complete
    return {row.name: (f"{row.amount:.2f}", int(row.quantity), row.calls) for row in found.rows}


def test_with_more_than_is_read_the_sums_say_that_they_are_not_complete(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_spend, "MOST_READ", 2)
    for number in range(3):
        call(shop, f"call-{number}", minutes=1, at=NOW)
    day = NOW.date()

    found = daily_spend.of_days(account=shop, first=day, last=day, by=Group.FEATURE)
    assert (found.rows[0].calls, found.is_complete) == (2, False)
    daily_spend.add_up(account_id=shop.pk)
    found = daily_spend.of_days(account=shop, first=day, last=day, by=Group.FEATURE)
    assert (found.rows[0].calls, found.is_complete) == (3, True)


def test_several_questions_are_answered_each_for_itself_in_one_query(
    shop: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    call(shop, "call-1", minutes=11, at=NOW)
    call(shop, "call-2", minutes=5, at=NOW + 3 * DAY)
    renewal, day = Renewal.objects.get(account=shop), NOW.date()
    questions = [
        daily_spend.in_period(account=shop, renewal=renewal, by=Group.FEATURE),
        Question(first=day - DAY, last=day - DAY, by=Group.FEATURE),
        Question(first=day + DAY, last=day + 3 * DAY, by=Group.WORKSPACE),
    ]

    with django_assert_num_queries(1):
        period, before, after = daily_spend.answer(account=shop, questions=questions)

    assert daily_spend.costs(period) == [on(0, "1.00"), on(3, "0.50")]
    assert before == Sums((), is_complete=True)
    assert [(row.day, row.name, row.calls) for row in after.rows] == [(day + 3 * DAY, "", 1)]


def test_no_question_needs_no_query(
    shop: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert daily_spend.answer(account=shop, questions=[]) == []


def test_days_without_usage_also_say_that_more_is_being_added_up(
    shop: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_spend, "MOST_READ", 2)
    for number in range(3):
        call(shop, f"call-{number}", minutes=1, at=NOW)
    day = NOW.date() - DAY

    found = daily_spend.of_days(account=shop, first=day, last=day, by=Group.FEATURE)

    assert found == Sums((), is_complete=False)


def test_a_month_s_deductions_by_feature_come_to_what_its_statement_says(shop: Account) -> None:
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    for name, minutes, used_at, recorded_at in (
        ("call-1", 11, NOW, NOW),
        ("call-2", 5, midnight, midnight + timedelta(seconds=10)),
        # Written after it by a clock that lags: the ledger goes on, so December has it.
        ("call-3", 7, NOW + DAY, midnight - timedelta(seconds=5)),
        # Reported late: used in November, deducted in December.
        ("call-4", 3, NOW + DAY, midnight + 2 * DAY),
    ):
        record = make_record(shop, minutes, id=name, occurred_at=used_at)
        usage.record(records=[record], now=recorded_at)

    for _ in ("read", "added up"):
        for day, expected in ((NOW.date(), "1.00"), (midnight.date(), "1.50")):
            month = statements.month_of(day, timezone=shop.timezone)
            found = statements.statement(account=shop, month=month, now=midnight + 9 * DAY)
            assert found.totals.usage.amount == -Decimal(expected)
            assert daily_spend.deducted(account=shop, totals=found.totals) == {
                "Call minutes": Decimal(expected)
            }
        daily_spend.add_up(account_id=shop.pk)
