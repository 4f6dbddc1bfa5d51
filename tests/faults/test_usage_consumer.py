"""Usage from a real broker: each record is charged once, whatever dies, and nothing is lost."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Account
from accounts.tests.factories import make_account
from plans import usage
from plans.models import UsageRecord
from plans.tests.factories import make_subscription, make_version, make_wallet
from plans.usage import ResultStatus
from tests.books import assert_books_are_right
from wallet.models import Wallet

pytest.importorskip("confluent_kafka")
from confluent_kafka import Producer

from conftest import free_port
from plans.usage_consumer import ConsumerError, Source, UsageConsumer
from tests.faults.kafka_broker import QUICK, Broker, Topics
from tests.faults.mortals import Mortals

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

KILLED = -9
ACCOUNTS = 8


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("kafka") / "log")
    yield broker
    broker.close()


@pytest.fixture
def topics(broker: Broker) -> Topics:
    return Topics(broker)


@pytest.fixture
def accounts(transactional_db: None) -> list[Account]:
    """Eight accounts with $10 each, on pay as you go at $0.10 a minute."""
    version = make_version(included="0")
    accounts = []
    for number in range(ACCOUNTS):
        account = make_account(external_id=f"customer-{number}")
        make_wallet(account, balance="10")
        make_subscription(account, version, anchor=timezone.now() - timedelta(days=1))
        accounts.append(account)
    return accounts


def calls(number: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Return calls of a minute each, the accounts' in turn."""
    return [
        {
            "id": f"call-{each}",
            "account": f"external:customer-{each % ACCOUNTS}",
            "feature": "call_minutes",
            "quantity": "1",
            "occurred_at": timezone.now().isoformat(),
        }
        for each in range(first, first + number)
    ]


def consume(
    topics: Topics, until: Callable[[UsageConsumer], bool], stop: threading.Event | None = None
) -> UsageConsumer:
    """Consume in this thread until the condition holds after a batch."""
    stop = stop or threading.Event()
    source = Source(
        topics.address, topics.usage, topics.rejected, topics.group,
        batch_size=20, linger=0.1, options=QUICK,
    )  # fmt: skip
    consumer = UsageConsumer(source, clock=timezone.now, stop=stop)
    deadline = time.monotonic() + 40
    observe = consumer._observe

    def look() -> None:
        observe()
        if until(consumer) or time.monotonic() > deadline:
            stop.set()

    consumer._observe = look  # type: ignore[method-assign]
    consumer.run()
    return consumer


def consume_elsewhere(mortals: Mortals, topics: Topics, *, number: int, at: str = "") -> int:
    """Have a process run the command, for so many messages or until it is killed."""
    return mortals.do(
        "consume_usage",
        at=at,
        address=topics.address,
        usage=topics.usage,
        rejected=topics.rejected,
        group=topics.group,
        number=str(number),
    )


def read(number: int) -> Callable[[UsageConsumer], bool]:
    """Hold once so many messages were dealt with."""
    return lambda consumer: consumer.counts.total() >= number


def assert_charged_once(number: int) -> None:
    """Assert that so many calls were charged, each once."""
    assert UsageRecord.objects.count() == number
    balances = sum(Wallet.objects.values_list("balance", flat=True))
    assert balances == 10 * ACCOUNTS - Decimal("0.10") * number


def test_a_record_is_charged_and_what_is_none_is_a_dead_letter(
    topics: Topics, accounts: list[Account]
) -> None:
    unknown = {**calls(1)[0], "account": "external:nobody"}
    poison = [b"", b"\xff\x00", b"[" * 5000, b"x" * 100_000, b"null"]
    good = calls(30)
    topics.send(*good, *poison, unknown, *good)

    consumer = consume(topics, read(66))

    assert consumer.counts == {
        ResultStatus.RECORDED: 30, ResultStatus.DUPLICATE: 30, ResultStatus.REJECTED: 6,
    }  # fmt: skip
    assert_charged_once(30)
    assert topics.behind() == 0
    letters = topics.dead_letters(6)
    assert {value or b"" for value, _ in letters} == {*poison, json.dumps(unknown).encode()}
    [headers] = [headers for value, headers in letters if value == json.dumps(unknown).encode()]
    assert headers["code"] == "unknown_account"
    assert headers["source"].startswith(f"{topics.usage}/")
    assert all(headers["detail"] for _, headers in letters)


def test_killed_between_the_database_and_the_offset(
    mortals: Mortals, sandbox: "Sandbox", topics: Topics, accounts: list[Account]
) -> None:
    topics.send(*calls(50), b"poison")

    ended = consume_elsewhere(mortals, topics, number=51, at="after plans.usage.record")

    assert ended == KILLED
    recorded = UsageRecord.objects.count()
    assert 0 < recorded <= 20
    assert topics.behind() == 51  # the database has them, Kafka does not know
    assert consume_elsewhere(mortals, topics, number=51) == 0  # it was told to stop, and did
    assert topics.behind() == 0
    assert_charged_once(50)
    assert len(topics.dead_letters(1)) == 1
    assert_books_are_right()


def test_while_the_database_is_away_nothing_is_read_and_nothing_lost(
    topics: Topics, accounts: list[Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, attempts = usage.record, 0

    def record(**arguments: Any) -> Any:
        nonlocal attempts
        attempts += 1
        if attempts in (2, 3, 4):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return original(**arguments)

    monkeypatch.setattr(usage, "record", record)
    monkeypatch.setattr("plans.usage_consumer._FIRST_DELAY", 0.2)
    topics.send(*calls(60))

    consumer = consume(topics, read(60))

    assert attempts >= 6
    assert consumer.counts.total() == 60
    assert_charged_once(60)
    assert topics.behind() == 0


def test_no_offset_is_committed_before_the_dead_letters_are_kept(
    topics: Topics, accounts: list[Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Producer(
        {"bootstrap.servers": f"127.0.0.1:{free_port()}", "message.timeout.ms": 500, "log_level": 0}
    )
    keep = UsageConsumer._keep
    behind: list[int] = []

    def keep_later(consumer: UsageConsumer, rejected: Any) -> None:
        with monkeypatch.context() as patch:
            if not behind:
                patch.setattr(consumer, "producer", nowhere)
            behind.append(topics.behind())
            keep(consumer, rejected)

    monkeypatch.setattr(UsageConsumer, "_keep", keep_later)
    topics.send(*calls(3), b"poison")

    consume(topics, read(4))

    # Those read before it may be committed already; it is not while it is kept nowhere.
    assert behind[0] == behind[1] >= 1
    assert topics.behind() == 0
    assert [value for value, _ in topics.dead_letters(1)] == [b"poison"]
    assert_charged_once(3)


def test_what_is_asked_to_stop_while_it_waits_commits_nothing(
    topics: Topics, accounts: list[Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()

    def record(**arguments: Any) -> Any:
        stop.set()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(usage, "record", record)
        topics.send(*calls(5))
        consume(topics, read(5), stop)
    assert topics.behind() == 5
    consume(topics, read(5))
    assert_charged_once(5)


def test_consumers_of_a_group_share_the_partitions(topics: Topics, accounts: list[Account]) -> None:
    stop, shared = threading.Event(), threading.Event()
    partitions: dict[UsageConsumer, int] = {}
    read_by: dict[UsageConsumer, int] = {}

    def until(consumer: UsageConsumer) -> bool:
        partitions[consumer] = len(consumer.consumer.assignment())
        read_by[consumer] = consumer.counts.total()
        if list(partitions.values()) == [2, 2]:
            shared.set()
        return sum(read_by.values()) >= 100

    def work() -> None:
        try:
            consume(topics, until, stop)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert shared.wait(30)
    topics.send(*calls(100))
    for thread in threads:
        thread.join(60)
    assert all(read_by.values())
    assert_charged_once(100)
    assert topics.behind() == 0


def test_a_topic_that_is_not_there_is_told(topics: Topics) -> None:
    topics.rejected = "nowhere"
    with pytest.raises(ConsumerError, match="no topic nowhere: create it first"):
        consume(topics, read(1))
