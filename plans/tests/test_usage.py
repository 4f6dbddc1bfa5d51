"""Worked examples of rating (DESIGN.md section 7)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.models import Account, AuditEvent
from accounts.tests.factories import NOW, make_account
from plans import usage
from plans.models import Allowance, FeatureKind, UsageRecord
from plans.tests.factories import (
    GROWTH_TIERS,
    make_customer,
    make_feature,
    make_record,
    make_subscription,
    make_version,
    make_wallet,
)
from plans.usage import Result
from plans.usage_records import Code, ParsedRecord
from wallet import ledger
from wallet.models import Entry, EntryKind, Wallet

pytestmark = pytest.mark.django_db


def record_one(record: ParsedRecord, now: datetime = NOW) -> Result:
    """Rate one record."""
    [result] = usage.record(records=[record], now=now)
    return result


def balance_of(account: Account) -> Decimal:
    """Return the balance as stored."""
    return Wallet.objects.get(account=account).balance


def test_499_of_500_used_then_12_includes_one_and_bills_eleven() -> None:
    account = make_customer(balance="20")
    record_one(make_record(account, 499))
    result = record_one(make_record(account, 12))
    assert (result.status, result.code) == ("recorded", None)
    assert result.included_quantity == 1
    assert result.billed_quantity == 11
    assert result.amount == Decimal("1.10")
    assert balance_of(account) == Decimal("18.90")
    entry = Entry.objects.get(account=account, kind="usage")
    assert entry.description == "Call minutes: 11 beyond the allowance × $0.10"
    assert entry.amount == Decimal("-1.10")


def test_a_record_keeps_what_explains_it() -> None:
    version = make_version()
    account = make_customer(balance="20", version=version)
    record_one(make_record(account, 499))
    record_one(
        make_record(account, 12, id="call-1", workspace="clinic", source="sip", description="Call")
    )
    record = UsageRecord.objects.get(record_id="call-1")
    assert (record.included_before, record.included_quantity) == (1, 1)
    assert (record.billed_before, record.billed_quantity) == (0, 11)
    assert record.unit_price == Decimal("0.10")
    assert (record.balance_before, record.balance_after) == (20, Decimal("18.90"))
    assert record.plan_version == version
    assert record.renewal.number == 1
    assert (record.workspace, record.source, record.description) == ("clinic", "sip", "Call")
    assert record.recorded_at == NOW


def test_a_record_that_is_fully_included_moves_no_money() -> None:
    account = make_customer(balance="20")
    result = record_one(make_record(account, 500))
    assert (result.included_quantity, result.billed_quantity, result.amount) == (500, 0, 0)
    assert not Entry.objects.filter(account=account, kind="usage").exists()
    assert Allowance.objects.get(account=account).used == 500


def test_a_quantity_of_zero_is_recorded_and_costs_nothing() -> None:
    account = make_customer()
    assert record_one(make_record(account, 0)).status == "recorded"
    assert balance_of(account) == 0


def test_a_plan_without_an_allowance_does_not_mention_one() -> None:
    account = make_customer(version=make_version(included="0", unit_price="0.15"))
    record_one(make_record(account, "1.5"))
    assert Entry.objects.get(account=account).description == "Call minutes: 1.5 × $0.15"


@pytest.mark.parametrize(
    ("before", "quantity", "amount", "description"),
    [
        ("0", "5000", "500", "5,000 × $0.10"),
        ("4990", "20", "1.90", "10 × $0.10 + 10 × $0.09"),
        ("5000", "100", "9", "100 × $0.09"),
        ("19990", "20", "1.70", "10 × $0.09 + 10 × $0.08"),
        ("20000", "10", "0.80", "10 × $0.08"),
        ("0", "20001", "1850.08", "5,000 × $0.10 + 15,000 × $0.09 + 1 × $0.08"),
    ],
)
def test_units_beyond_a_tier_cost_less(
    before: str, quantity: str, amount: str, description: str
) -> None:
    account = make_customer(version=make_version(included="0", tiers=GROWTH_TIERS))
    if Decimal(before):
        record_one(make_record(account, before))
    result = record_one(make_record(account, quantity))
    assert result.amount == Decimal(amount)
    newest = Entry.objects.filter(account=account).order_by("-sequence")[0]
    assert newest.description == f"Call minutes: {description}"


@pytest.mark.parametrize(
    ("quantity", "unit_price", "amount"),
    [
        ("0.000001", "0.5", "0.000001"),  # exactly half a millionth is rounded up
        ("0.000001", "0.49999999", "0"),
        ("0.333333", "0.00000150", "0"),
        ("1", "0.00000050", "0.000001"),
        ("3", "0.00000050", "0.000002"),
    ],
)
def test_an_amount_is_rounded_once_half_up_to_a_millionth(
    quantity: str, unit_price: str, amount: str
) -> None:
    account = make_customer(version=make_version(included="0", unit_price=unit_price))
    assert record_one(make_record(account, quantity)).amount == Decimal(amount)


def test_a_balance_below_zero_pauses_services_once() -> None:
    account = make_customer(balance="1", version=make_version(included="0"))
    record_one(make_record(account, 11))
    account.refresh_from_db()
    assert balance_of(account) == Decimal("-0.10")
    assert account.pause_reasons == ["negative_balance"]
    record_one(make_record(account, 1))
    assert AuditEvent.objects.filter(account=account, action="services_paused").count() == 1
    assert account.messages.filter(event="services.paused").count() == 1


def test_at_exactly_zero_active_services_stay_active() -> None:
    account = make_customer(balance="1.10", version=make_version(included="0"))
    record_one(make_record(account, 11))
    account.refresh_from_db()
    assert balance_of(account) == 0
    assert account.services == "active"


def test_at_exactly_zero_paused_services_stay_paused() -> None:
    account = make_customer(balance="1", version=make_version(included="0"))
    record_one(make_record(account, 11))
    ledger.post(
        account_id=account.pk,
        kind=EntryKind.REFUND,
        amount=Decimal("0.10"),
        description="Back to zero",
        now=NOW,
    )
    account.refresh_from_db()
    assert account.services == "paused"
    record_one(make_record(account, 0))
    account.refresh_from_db()
    assert account.services == "paused"


def test_a_late_record_is_rated_in_the_period_in_which_it_occurred() -> None:
    account = make_account()
    make_wallet(account, balance="10")
    subscription = make_subscription(account, make_version(), number=2)
    now = datetime(2026, 12, 26, 12, tzinfo=UTC)
    result = record_one(make_record(account, 10, occurred_at=NOW + timedelta(days=29)), now)
    assert result.included_quantity == 10
    used = {a.renewal.number: a.used for a in Allowance.objects.filter(account=account)}
    assert used == {1: 10, 2: 0}
    assert UsageRecord.objects.get().renewal.subscription == subscription


def test_a_record_from_before_the_first_period_is_rated_in_the_first() -> None:
    account = make_customer()
    assert record_one(make_record(account, 5, occurred_at=NOW - timedelta(days=3))).status == (
        "recorded"
    )
    assert UsageRecord.objects.get().renewal.number == 1


def test_a_record_slightly_ahead_of_the_last_opened_period_is_rated_in_it() -> None:
    account = make_customer()
    end = datetime(2026, 12, 23, 9, 30, tzinfo=UTC)
    record = make_record(account, 5, occurred_at=end + timedelta(minutes=2))
    assert record_one(record, end - timedelta(minutes=1)).status == "recorded"
    assert UsageRecord.objects.get().renewal.number == 1


def test_a_period_that_has_begun_is_opened_before_its_usage_is_rated() -> None:
    account = make_customer()
    now = datetime(2027, 1, 25, tzinfo=UTC)
    record_one(make_record(account, 5, occurred_at=now), now)
    assert UsageRecord.objects.get().renewal.number == 3
    assert Allowance.objects.get(renewal__number=3).used == 5


def test_after_the_end_of_a_subscription_nothing_is_in_the_plan() -> None:
    account = make_account()
    make_wallet(account)
    ended_at = NOW + timedelta(days=10)
    make_subscription(account, make_version(), ended_at=ended_at)
    now = NOW + timedelta(days=12)
    inside = record_one(make_record(account, 1, occurred_at=ended_at - timedelta(days=1)), now)
    after = record_one(make_record(account, 1, occurred_at=ended_at), now)
    assert (inside.status, after.code) == ("recorded", Code.NOT_IN_PLAN)


def test_after_a_change_of_plan_each_moment_is_rated_by_the_plan_of_that_moment() -> None:
    account = make_account()
    make_wallet(account)
    changed_at = NOW + timedelta(days=10)
    old, new = make_version(unit_price="0.15", included="0"), make_version(unit_price="0.10")
    make_subscription(account, old, ended_at=changed_at)
    make_subscription(account, new, anchor=changed_at)
    now = changed_at + timedelta(days=1)
    before = record_one(
        make_record(account, 1, occurred_at=changed_at - timedelta(microseconds=1)), now
    )
    after = record_one(make_record(account, 501, occurred_at=changed_at), now)
    assert (before.amount, after.amount) == (Decimal("0.15"), Decimal("0.10"))


def test_until_the_renewal_is_paid_everything_is_billed_at_the_plan_price() -> None:
    account = make_account()
    make_wallet(account)
    make_subscription(account, make_version(), last_period_paid=False)
    result = record_one(make_record(account, 12))
    assert (result.included_quantity, result.amount) == (0, Decimal("1.20"))
    assert Entry.objects.get(account=account).description == "Call minutes: 12 × $0.10"


def test_an_account_without_a_subscription_has_nothing_in_its_plan() -> None:
    account = make_account()
    make_wallet(account)
    make_feature()
    assert record_one(make_record(account)).code == Code.NOT_IN_PLAN


def test_an_account_without_a_wallet_has_nothing_in_its_plan() -> None:
    account = make_account()
    make_feature()
    assert record_one(make_record(account)).code == Code.NOT_IN_PLAN


def test_a_rental_and_a_feature_without_a_price_are_not_in_the_plan() -> None:
    make_feature("user_seat", kind=FeatureKind.RENTAL)
    make_feature("llm_tokens")
    account = make_customer(version=make_version(features={"user_seat": ("1", "12")}))
    for key in ("user_seat", "llm_tokens"):
        assert record_one(make_record(account, feature=key)).code == Code.NOT_IN_PLAN


def test_records_are_rejected_beyond_35_days_and_5_minutes() -> None:
    account = make_customer()
    for moment, code in [
        (NOW - timedelta(days=35), None),
        (NOW - timedelta(days=35, microseconds=1), Code.TOO_OLD),
        (NOW + timedelta(minutes=5), None),
        (NOW + timedelta(minutes=5, microseconds=1), Code.IN_FUTURE),
    ]:
        assert record_one(make_record(account, occurred_at=moment)).code == code


def test_accounts_are_found_by_uuid_and_by_external_id() -> None:
    account = make_customer(external_id="customer 42/ä")
    for name in (str(account.pk), str(account.pk).upper(), "external:customer 42/ä"):
        assert record_one(make_record(account, account=name)).status == "recorded"
    for name in ("external:", "external:nobody", "customer 42/ä", account.pk.hex, "x", "{}"):
        assert record_one(make_record(account, account=name)).code == Code.UNKNOWN_ACCOUNT


def test_an_account_without_an_external_id_is_not_found_by_an_empty_one() -> None:
    account = make_customer(external_id="")
    assert record_one(make_record(account, account="external:")).code == Code.UNKNOWN_ACCOUNT


def test_a_quantity_that_no_column_could_hold_is_rejected_not_a_fault() -> None:
    account = make_customer(version=make_version(included="0", unit_price="1000"))
    assert record_one(make_record(account, 999_999_998)).status == "recorded"
    assert record_one(make_record(account, 1)).status == "recorded"
    assert record_one(make_record(account, 1)).code == Code.INVALID_QUANTITY
    assert balance_of(account) == -999_999_999_000
