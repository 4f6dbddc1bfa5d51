"""Scenarios in which many processes do the same or contrary things at the same moment."""

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.db import OperationalError, connection, transaction

from accounts.database_trouble import was_deadlock
from plans.models import Renewal
from plans.usage_records import ParsedRecord
from tests.crashes.crowd import at_once
from tests.crashes.deeds import batch_of, refill, refund, renew, report, top_up
from tests.crashes.ending import assert_all_is_right, drain
from tests.crashes.stage import Stage
from tests.crashes.town import Town, settle
from wallet.models import Entry, Wallet

_WRITERS = 50


def _town(folder: Path, *, callers: int, subscribers: int = 0) -> tuple[Stage, Town]:
    stage = Stage(folder)
    stage.start("sandbox")
    stage.wait_until_ready("sandbox")
    return stage, settle(stage.sandbox, callers=callers, subscribers=subscribers)


def fifty_writers(folder: Path, seconds: float) -> str:
    """50 processes report usage of one account, each batch twice, while its wallet is refilled."""
    _, town = _town(folder, callers=1)
    [account] = town.callers
    confirmed: set[str] = set()
    deadline, rounds = time.monotonic() + seconds, 0
    while rounds == 0 or time.monotonic() < deadline:
        rounds += 1
        batches = [
            [batch_of([account], f"{rounds}-{writer}-{number}", size=3) for number in range(4)]
            for writer in range(_WRITERS // 2)
        ]
        # Each batch comes from two writers, in another order.
        answers = at_once(
            [partial(report, each) for each in batches]
            + [partial(report, each[::-1]) for each in batches]
            + [refill, refill]
        )
        confirmed |= {each for answer in answers for each in answer}
    drain()
    wallet = Wallet.objects.get(account=account)
    entries = list(Entry.objects.filter(account=account).order_by("sequence"))
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert wallet.balance == sum(entry.amount for entry in entries)
    billed = assert_all_is_right(confirmed)
    return (
        f"{rounds} rounds of {_WRITERS} writers on one wallet: {billed}; lost or doubled: nothing"
    )


def races(folder: Path, seconds: float) -> str:
    """Ingest, top-ups, refunds, two renewal runs and two refill sweeps, all at once."""
    _, town = _town(folder, callers=3, subscribers=6)
    everybody = [*town.callers, *town.subscribers]
    for account in everybody:
        top_up(account)
    confirmed: set[str] = set()
    deadline, rounds = time.monotonic() + seconds, 0
    while rounds == 0 or time.monotonic() < deadline:
        rounds += 1
        chance = random.Random(rounds)
        calls: list[Callable[[], list[str]]] = [renew, renew, refill, refill]
        for writer in range(6):
            shuffled = chance.sample(everybody, len(everybody))
            batches = [
                batch_of(shuffled, f"{rounds}-{writer}-{number}", size=40) for number in range(3)
            ]
            calls.append(partial(report, batches))
        calls += [partial(top_up, account) for account in chance.sample(everybody, 4)]
        calls += [partial(refund, account) for account in chance.sample(everybody, 3)]
        answers = at_once(calls)
        confirmed |= {each for answer in answers for each in answer}
    drain()
    billed = assert_all_is_right(confirmed)
    of_one = Renewal.objects.filter(account__in=town.subscribers, number=2, status="paid")
    assert of_one.count() == len(town.subscribers), "each was to be renewed once"
    return (
        f"{rounds} rounds of {len(calls)} processes against each other: {billed}; "
        "lost or doubled: nothing"
    )


def deadlocks(folder: Path, seconds: float) -> str:
    """A hand at the database locks wallets in reversed order while batches are written."""
    _, town = _town(folder, callers=6)
    confirmed: set[str] = set()
    before, given_up = _deadlocks_so_far(), 0
    deadline, rounds = time.monotonic() + seconds, 0
    with connection.cursor() as cursor:
        # So that there are many in little time.
        cursor.execute("ALTER ROLE CURRENT_USER SET deadlock_timeout = '20ms'")
    while rounds == 0 or time.monotonic() < deadline:
        rounds += 1
        calls: list[Callable[[], list[str]]] = [
            partial(
                _insist,
                [batch_of(town.callers, f"{rounds}-{writer}-{n}", size=12) for n in range(15)],
            )
            for writer in range(4)
        ]
        answers = at_once([*calls, _hand, _hand])
        given_up += sum(answer.count("given up") for answer in answers)
        confirmed |= {each for answer in answers for each in answer if each != "given up"}
    drain()
    found = _deadlocks_so_far() - before
    assert found > 0, "there was no deadlock to break"
    billed = assert_all_is_right(confirmed)
    return (
        f"{found} deadlocks in {rounds} rounds, {given_up} told to the caller after four tries, "
        f"who sent the batch again: {billed}; lost or doubled: nothing"
    )


def _insist(batches: list[list[ParsedRecord]]) -> list[str]:
    """Report as a client does, who sends again what was answered 503."""
    told = []
    for batch in batches:
        while True:
            try:
                told += report([batch])
                break
            except OperationalError as error:
                if not was_deadlock(error):
                    raise
                told.append("given up")
    return told


def _hand() -> list[str]:
    """Lock all wallets from the last to the first, a moment between, again and again."""
    for _ in range(40):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                for pk in Wallet.objects.order_by("-pk").values_list("pk", flat=True):
                    cursor.execute("SELECT FROM wallet_wallet WHERE id = %s FOR UPDATE", [pk])
                    time.sleep(0.003)
        except OperationalError as error:
            if not was_deadlock(error):
                raise
    return []


def _deadlocks_so_far() -> int:
    # What a session counted is told when it ends, which those of the processes have.
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        [count] = cursor.fetchone()
    return int(count)
