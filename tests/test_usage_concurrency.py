"""Many writers on one account: no lost update, no double charge, no allowance drawn twice."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from msgspec.structs import replace

from accounts.models import Account, Message
from accounts.tests.factories import NOW
from billing_portal import audit
from plans import spend_caps, usage, usage_parts
from plans.models import Allowance, UsageRecord
from plans.tests.factories import GROWTH_TIERS, make_customer, make_record, make_version
from plans.usage import Result
from plans.usage_records import ParsedRecord
from wallet import ledger, low_balance
from wallet.models import Entry, EntryKind, Wallet

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(writers: Sequence[Callable[[], list[Result]]]) -> list[list[Result]]:
    """Run the writers in threads of their own, all let go at the same moment."""
    barrier = threading.Barrier(len(writers))

    def run(writer: Callable[[], list[Result]]) -> list[Result]:
        try:
            barrier.wait(timeout=60)
            return writer()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(writers)) as pool:
        return list(pool.map(run, writers))


def report(records: list[ParsedRecord]) -> Callable[[], list[Result]]:
    """Return a writer that reports these records."""
    return lambda: usage.record(records=records, now=NOW)


def assert_exact(account: Account, *, reported: Decimal, start: Decimal) -> None:
    """Assert that the account's ledger, records and allowance agree with what was reported."""
    records = list(UsageRecord.objects.filter(account=account).order_by("pk"))
    allowance = Allowance.objects.get(account=account)
    included = sum((record.included_quantity for record in records), Decimal(0))
    billed = sum((record.billed_quantity for record in records), Decimal(0))
    assert included + billed == reported
    # Balances can be right while allowances are not: look at both.
    assert included == allowance.used == min(reported, allowance.included)
    assert billed == allowance.billed_quantity == reported - included
    amount = sum((record.amount for record in records), Decimal(0))
    wallet = Wallet.objects.get(account=account)
    entries = list(Entry.objects.filter(account=account).order_by("sequence"))
    assert wallet.balance == start - amount == sum((e.amount for e in entries), Decimal(0))
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    # Each record continues where another one left off.
    balances = {record.balance_before for record in records if record.amount}
    assert len(balances) == sum(1 for record in records if record.amount)
    left = [record.included_before for record in records if record.included_quantity]
    assert len(set(left)) == len(left)


def test_four_writers_on_one_account_draw_the_allowance_exactly_once() -> None:
    account = make_customer(balance="20", version=make_version(tiers=GROWTH_TIERS))
    writers = [report([make_record(account, 3) for _ in range(100)]) for _ in range(4)]
    answers = at_once(writers)
    assert {result.status for answer in answers for result in answer} == {"recorded"}
    assert_exact(account, reported=Decimal(1200), start=Decimal(20))


def test_fifty_writers_on_one_account_lose_nothing() -> None:
    account = make_customer(balance="20")
    writers = [report([make_record(account, 7), make_record(account, "8.5")]) for _ in range(50)]
    at_once(writers)
    assert UsageRecord.objects.filter(account=account).count() == 100
    assert_exact(account, reported=Decimal(775), start=Decimal(20))


def test_the_same_batch_from_twenty_writers_is_charged_once() -> None:
    account = make_customer(balance="20")
    batch = [make_record(account, 60) for _ in range(10)]
    answers = at_once([report(random.Random(seed).sample(batch, 10)) for seed in range(20)])
    recorded = [r for answer in answers for r in answer if r.status == "recorded"]
    duplicates = [r for answer in answers for r in answer if r.status == "duplicate"]
    assert (len(recorded), len(duplicates)) == (10, 190)
    first = {result.id: result.amount for result in recorded}
    assert all(result.amount == first[result.id] for result in duplicates)
    assert_exact(account, reported=Decimal(600), start=Decimal(20))


def test_four_writers_that_replay_the_same_batches_leave_a_clean_audit() -> None:
    account = make_customer(balance="20", version=make_version(tiers=GROWTH_TIERS))
    batches = [[make_record(account, "7.25") for _ in range(40)] for _ in range(3)]

    def replay(seed: int) -> Callable[[], list[Result]]:
        order = random.Random(seed).sample(batches, 3)
        return lambda: [result for batch in order for result in report(batch)()]

    answers = at_once([replay(seed) for seed in range(4)])
    statuses = Counter(result.status for answer in answers for result in answer)
    assert statuses == {"recorded": 120, "duplicate": 360}
    assert_exact(account, reported=Decimal(870), start=Decimal(20))
    assert audit.run(now=NOW) == []


def test_the_same_single_records_from_twenty_writers_are_charged_once() -> None:
    account = make_customer(balance="20", version=make_version(tiers=GROWTH_TIERS))
    records = [make_record(account, 60) for _ in range(10)]

    def one_by_one(seed: int) -> Callable[[], list[Result]]:
        shuffled = random.Random(seed).sample(records, 10)
        return lambda: [
            result for each in shuffled for result in usage.record(records=[each], now=NOW)
        ]

    answers = at_once([one_by_one(seed) for seed in range(20)])
    recorded = [r for answer in answers for r in answer if r.status == "recorded"]
    duplicates = [r for answer in answers for r in answer if r.status == "duplicate"]
    assert (len(recorded), len(duplicates)) == (10, 190)
    first = {result.id: result.amount for result in recorded}
    assert all(result.amount == first[result.id] for result in duplicates)
    assert_exact(account, reported=Decimal(600), start=Decimal(20))


def test_batches_over_the_same_accounts_in_any_order_never_deadlock() -> None:
    version = make_version()
    accounts = [make_customer(balance="20", version=version) for _ in range(12)]
    writers = []
    for seed in range(8):
        shuffled = random.Random(seed).sample(accounts, len(accounts))
        writers.append(report([make_record(account, 70) for account in shuffled]))
    answers = at_once(writers)
    assert {result.status for answer in answers for result in answer} == {"recorded"}
    for account in accounts:
        assert_exact(account, reported=Decimal(560), start=Decimal(20))


def make_large_batch(accounts: list[Account], *, seed: int = 0) -> list[ParsedRecord]:
    """Make 240 records of 7 minutes, enough to be divided, the accounts in random order."""
    records = [make_record(accounts[n % len(accounts)], 7) for n in range(240)]
    return random.Random(seed).sample(records, len(records))


def accounts_of_two_parts() -> tuple[Account, Account]:
    """Return two customers whose records are not in one part."""
    version = make_version()
    first = make_customer(balance="20", version=version)
    while True:
        other = make_customer(balance="20", version=version)
        if len(usage_parts.places_by_part([make_record(first), make_record(other)])) > 1:
            return first, other


def test_large_batches_that_meet_rate_each_record_once_in_the_order_sent() -> None:
    version = make_version()
    accounts = [make_customer(balance="20", version=version) for _ in range(8)]
    batches = [make_large_batch(accounts, seed=seed) for seed in range(2)]
    answers = at_once([report(batch) for batch in batches * 2])
    for batch, answer in zip(batches * 2, answers, strict=True):
        assert [result.id for result in answer] == [record.id for record in batch]
    statuses = Counter(result.status for answer in answers for result in answer)
    assert statuses == {"recorded": 480, "duplicate": 480}
    for account in accounts:
        assert_exact(account, reported=Decimal(420), start=Decimal(20))
    assert audit.run(now=NOW) == []


def test_a_large_batch_is_not_held_up_by_a_writer_at_one_of_its_accounts() -> None:
    busy, quiet = accounts_of_two_parts()
    batch = make_large_batch([busy, quiet])
    [part] = usage_parts.places_by_part([make_record(busy)])
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            usage_parts.take([part])
            answer = pool.submit(lambda: at_once([report(batch)])[0])
            deadline = time.monotonic() + 30
            while not UsageRecord.objects.filter(account=quiet).exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert UsageRecord.objects.filter(account=quiet).count() == 120
            assert not UsageRecord.objects.filter(account=busy).exists()
        assert [result.id for result in answer.result()] == [record.id for record in batch]
    assert_exact(busy, reported=Decimal(840), start=Decimal(20))
    assert_exact(quiet, reported=Decimal(840), start=Decimal(20))


def test_a_large_batch_within_a_transaction_is_of_that_transaction() -> None:
    accounts = accounts_of_two_parts()
    with transaction.atomic():
        results = usage.record(records=make_large_batch(list(accounts)), now=NOW)
        transaction.set_rollback(True)
    assert {result.status for result in results} == {"recorded"}
    assert not UsageRecord.objects.exists()


def test_a_large_batch_opens_the_periods_that_have_begun() -> None:
    accounts = accounts_of_two_parts()
    now = NOW + timedelta(days=32)
    batch = [replace(each, occurred_at=now) for each in make_large_batch(list(accounts))]
    results = usage.record(records=batch, now=now)
    assert {result.status for result in results} == {"recorded"}
    numbers = Allowance.objects.filter(used__gt=0).values_list("renewal__number", "used")
    assert list(numbers) == [(2, 500), (2, 500)]


def test_writers_that_open_the_next_period_at_once_open_it_once() -> None:
    account = make_customer(balance="20")
    now = NOW + timedelta(days=32)

    def writer() -> list[Result]:
        return usage.record(records=[make_record(account, 100, occurred_at=now)], now=now)

    at_once([writer] * 8)
    numbers = Allowance.objects.filter(account=account).order_by("renewal__number")
    assert list(numbers.values_list("renewal__number", "used")) == [(1, 0), (2, 500)]


def told_of_a_low_balance(account: Account) -> int:
    return Message.objects.filter(account=account, event="low_balance").count()


def test_fifty_writers_that_take_a_balance_below_its_limit_tell_of_it_once() -> None:
    account = make_customer(balance="20", version=make_version(included="0", unit_price="0.10"))
    low_balance.set_limit(account=account, limit=Decimal(15), by=None, now=NOW)
    for crossing in (1, 2):
        at_once([report([make_record(account, 4)]) for _ in range(50)])  # $20 in all
        assert told_of_a_low_balance(account) == crossing
        ledger.post(
            account_id=account.pk,
            kind=EntryKind.REFUND,
            amount=Decimal(20),
            description="Back above it",
            now=NOW,
        )


def test_fifty_writers_that_reach_a_spend_cap_warn_once_and_pause_once() -> None:
    account = make_customer(balance="50", version=make_version(included="0", unit_price="0.10"))
    spend_caps.set_cap(account=account, cap=Decimal(10), by=None, now=NOW)

    at_once([report([make_record(account, 2), make_record(account, 1)]) for _ in range(50)])

    account.refresh_from_db()
    assert account.pause_reasons == ["spend_cap"]
    assert Wallet.objects.get(account=account).spent == 15
    told = Counter(Message.objects.filter(account=account).values_list("event", flat=True))
    assert told == {
        "spend_cap_near": 1,
        "spend_cap.near": 1,
        "services.paused": 1,
        "spend_cap_reached": 1,
    }
    assert audit.run(now=NOW) == []
