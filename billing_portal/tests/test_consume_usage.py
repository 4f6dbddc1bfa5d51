"""`manage.py consume_usage` without a broker: what it refuses; a record that downs its batch."""

import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DataError, OperationalError
from pytest_django import Settings

from accounts.tests.factories import NOW
from conftest import free_port
from plans import usage
from plans.models import UsageRecord
from plans.tests.factories import make_customer, make_record
from plans.usage_records import ParsedRecord


@pytest.fixture(autouse=True)
def somewhere(settings: Settings) -> None:
    """A broker is named; none is there."""
    settings.KAFKA_BOOTSTRAP_SERVERS = f"127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--batch-size", "0"], "--batch-size must be from 1 to 10,000"),
        (["--batch-size", "10001"], "--batch-size must be from 1 to 10,000"),
        (["--linger", "0"], "--linger must be from 0.01 to 60 seconds"),
        (["--topic", "a", "--dead-letter-topic", "a"], "must be another one, or it feeds itself"),
        (["--metrics", "9400x"], "must be HOST:PORT"),
        (["--metrics", "127.0.0.1:x"], "must be HOST:PORT"),
    ],
)
def test_what_can_not_work_is_refused(options: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("consume_usage", *options)


def test_a_broker_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plans.usage_consumer._TOPICS_SECONDS", 0.1)
    handlers = [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)]
    with pytest.raises(CommandError, match="No broker answers at 127"):
        call_command("consume_usage")
    assert handlers == [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)]


def test_options_that_kafka_does_not_have_are_told(settings: Settings) -> None:
    settings.KAFKA_OPTIONS = {"no.such.option": 1}
    with pytest.raises(CommandError, match=r"options are not valid.*no\.such\.option"):
        call_command("consume_usage")


def test_without_a_broker_named_it_does_not_start(settings: Settings) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = ""
    with pytest.raises(CommandError, match="Set KAFKA_BOOTSTRAP_SERVERS"):
        call_command("consume_usage")


def test_without_the_library_only_this_command_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    monkeypatch.delitem(sys.modules, "plans.usage_consumer", raising=False)
    import plans

    monkeypatch.delattr(plans, "usage_consumer", raising=False)
    with pytest.raises(CommandError, match="pip install -r requirements-kafka"):
        call_command("consume_usage")


def poisoned(error: Exception, record_id: str) -> Any:
    """Return the rating with a record in it that brings down whatever batch it is in."""
    original = usage.record

    def record(*, records: Sequence[ParsedRecord], now: Any) -> Any:
        if any(each.id == record_id for each in records):
            raise error
        return original(records=records, now=now)

    return record


@pytest.mark.django_db
def test_a_record_that_brings_its_batch_down_is_rejected_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from plans.usage_consumer import record_each

    alice = make_customer(balance="20")
    records = [make_record(alice, id=f"call-{number}") for number in range(9)]
    monkeypatch.setattr(usage, "record", poisoned(DataError("poison"), "call-4"))

    results = record_each(records, now=NOW + timedelta(hours=1))

    assert [result.id for result in results] == [record.id for record in records]
    assert {result.id for result in results if result.status == "rejected"} == {"call-4"}
    assert "DataError" in results[4].detail
    assert UsageRecord.objects.count() == 8


@pytest.mark.django_db
def test_no_record_is_to_blame_for_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    from plans.usage_consumer import record_each

    monkeypatch.setattr(usage, "record", poisoned(OperationalError("away"), "call-1"))
    with pytest.raises(OperationalError):
        record_each([make_record(make_customer(), id="call-1")], now=NOW)
