"""Batches: in the order sent, each record once, in a fixed number of statements."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from msgspec.structs import replace

from accounts.models import Account
from accounts.tests.factories import NOW, make_card
from plans import usage
from plans.models import Allowance, UsageRecord
from plans.tests.factories import GROWTH_TIERS, make_customer, make_record, make_version
from plans.usage_records import Code, ParsedRecord, Rejected
from wallet.models import Entry, Wallet
from wallet.tests.factories import switch_on

pytestmark = pytest.mark.django_db

#: Locking, reading, writing, and what follows the balance: whatever the number of records.
MAXIMUM_STATEMENTS = 24


def count_statements(records: list[ParsedRecord]) -> int:
    """Record them, all of which must succeed; return how many statements it took."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        results = usage.record(records=records, now=NOW)
    assert {result.status for result in results} == {"recorded"}
    return len(captured)


def make_batch(accounts: list[Account], size: int) -> list[ParsedRecord]:
    """Make records of 7 minutes, one account after the other."""
    return [make_record(accounts[index % len(accounts)], 7) for index in range(size)]


def test_a_batch_of_1000_takes_as_many_statements_as_one_of_10() -> None:
    version = make_version(included="5")
    accounts = [make_customer(balance="100", version=version) for _ in range(10)]
    small = count_statements(make_batch(accounts, 10))
    large = count_statements(make_batch(accounts, 1000))
    assert small == large <= MAXIMUM_STATEMENTS


def test_a_first_use_takes_as_many_statements_for_1000_records_as_for_10() -> None:
    version = make_version(included="0")
    counts = []
    for size in (10, 1000):
        accounts = [make_customer(balance="100", version=version) for _ in range(10)]
        counts.append(count_statements(make_batch(accounts, size)))
    assert counts[0] == counts[1] <= MAXIMUM_STATEMENTS + 2


def test_records_are_rated_in_the_order_sent() -> None:
    account = make_customer(version=make_version(included="10"))
    results = usage.record(records=[make_record(account, n) for n in (4, 8, 1)], now=NOW)
    assert [result.included_quantity for result in results] == [4, 6, 0]
    assert [result.billed_quantity for result in results] == [0, 2, 1]
    chain = list(UsageRecord.objects.order_by("pk").values_list("balance_before", "balance_after"))
    zero, two, three = Decimal(0), Decimal("-0.2"), Decimal("-0.3")
    assert chain == [(zero, zero), (zero, two), (two, three)]


def test_an_allowance_runs_out_within_a_batch_exactly_once() -> None:
    account = make_customer(version=make_version(included="500", tiers=GROWTH_TIERS))
    usage.record(records=[make_record(account, "0.7") for _ in range(1000)], now=NOW)
    allowance = Allowance.objects.get(account=account)
    assert (allowance.used, allowance.billed_quantity) == (500, 200)
    assert Wallet.objects.get(account=account).balance == Decimal("-20")


def test_the_same_id_twice_is_a_duplicate_with_the_first_figures() -> None:
    account = make_customer(balance="20")
    record = make_record(account, 512)
    [first] = usage.record(records=[record], now=NOW)
    [again] = usage.record(records=[record], now=NOW + timedelta(hours=1))
    assert again == replace(first, status=usage.ResultStatus.DUPLICATE)
    assert again.amount == Decimal("1.20")
    assert Wallet.objects.get(account=account).balance == Decimal("18.80")


def test_the_same_id_twice_in_one_batch_is_charged_once() -> None:
    account = make_customer()
    record = make_record(account, 512)
    first, again, third = usage.record(records=[record, record, record], now=NOW)
    assert (first.status, again.status, third.status) == ("recorded", "duplicate", "duplicate")
    assert first.amount == again.amount == third.amount
    assert Entry.objects.filter(account=account).count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": Decimal("512.000001")},
        {"occurred_at": NOW + timedelta(microseconds=1)},
        {"workspace": "other"},
        {"source": "other"},
        {"description": "other"},
    ],
)
@pytest.mark.parametrize("in_one_batch", [True, False])
def test_the_same_id_with_other_content_is_a_conflict(
    change: dict[str, object], in_one_batch: bool
) -> None:
    account = make_customer()
    record = make_record(account, 512)
    other = replace(record, **change)
    if in_one_batch:
        _, result = usage.record(records=[record, other], now=NOW)
    else:
        usage.record(records=[record], now=NOW)
        [result] = usage.record(records=[other], now=NOW)
    assert (result.status, result.code, result.amount) == ("rejected", Code.CONFLICT, 0)
    assert Entry.objects.filter(account=account).count() == 1


def test_the_same_content_written_differently_is_a_duplicate() -> None:
    account = make_customer(external_id="customer-9")
    usage.record(records=[make_record(account, "512", id="a")], now=NOW)
    again = make_record(account, "512.000000", id="a", account="external:customer-9")
    [result] = usage.record(records=[again], now=NOW)
    assert result.status == "duplicate"


def test_an_account_that_is_named_in_several_ways_is_one() -> None:
    account = make_customer(external_id="customer-9")
    names = (str(account.pk), str(account.pk).upper(), "external:customer-9", f"{account.pk},x")
    results = usage.record(
        records=[make_record(account, "512", id=name, account=name) for name in names], now=NOW
    )
    assert [result.status for result in results] == ["recorded"] * 3 + ["rejected"]
    assert list(
        Entry.objects.filter(account=account)
        .order_by("sequence")
        .values_list("usage_id", flat=True)
    ) == list(names[:3])


def test_a_repetition_is_recognised_even_when_it_has_become_too_old() -> None:
    account = make_customer()
    record = make_record(account)
    usage.record(records=[record], now=NOW)
    [result] = usage.record(records=[record], now=NOW + timedelta(days=60))
    assert result.status == "duplicate"


def test_two_accounts_may_use_the_same_id() -> None:
    version = make_version()
    records = [make_record(make_customer(version=version), id="same") for _ in range(2)]
    assert [r.status for r in usage.record(records=records, now=NOW)] == ["recorded"] * 2


def test_a_good_record_is_never_held_back_by_a_bad_one() -> None:
    account = make_customer(balance="20")
    results = usage.record(
        records=[
            Rejected("bad", Code.INVALID_QUANTITY, "No quantity."),
            make_record(account, account=str(uuid4())),
            make_record(account, feature="nonsense"),
            make_record(account, 512),
            make_record(account, occurred_at=NOW + timedelta(days=1)),
        ],
        now=NOW,
    )
    assert [result.code for result in results] == [
        Code.INVALID_QUANTITY,
        Code.UNKNOWN_ACCOUNT,
        Code.UNKNOWN_FEATURE,
        None,
        Code.IN_FUTURE,
    ]
    assert all(result.detail for result in results if result.code)
    assert Wallet.objects.get(account=account).balance == Decimal("18.80")


def test_a_batch_with_nothing_to_record_writes_nothing() -> None:
    results = usage.record(records=[Rejected(None, Code.INVALID_RECORD, "Bad.")], now=NOW)
    assert [result.status for result in results] == ["rejected"]


def test_a_refill_is_looked_at_after_the_balance_falls_below_its_threshold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nudged: list[object] = []
    monkeypatch.setattr("wallet.refills.nudge", lambda *, account_ids: nudged.extend(account_ids))
    account = make_customer(balance="10.10", version=make_version(included="0"))
    make_card(account, is_default=True)
    switch_on(account, threshold="10")
    nudged.clear()
    usage.record(records=[make_record(account, 1)], now=NOW)  # exactly the threshold
    assert nudged == []
    usage.record(records=[make_record(account, 1)], now=NOW)
    assert nudged == [account.pk]


def test_pausing_forty_accounts_takes_as_many_statements_as_pausing_five() -> None:
    version = make_version(included="0")
    counts = []
    for number in (5, 40):
        accounts = [make_customer(version=version, balance="0.01") for _ in range(number)]
        records = [make_record(account, id="the-last-call") for account in accounts]
        counts.append(count_statements(records))
        paused = Account.objects.filter(pause_reasons=["negative_balance"])
        assert paused.filter(pk__in=[account.pk for account in accounts]).count() == number

    assert counts[0] == counts[1]
