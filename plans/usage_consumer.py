"""Usage from a Kafka topic; needs confluent-kafka (requirements-kafka.txt).

A message is one record in JSON. Its offset is committed only after the database has the record, or
the dead-letter topic what was rejected of it: a consumer that dies at any line leaves messages that
are read again, and what is recorded already is a duplicate. Nothing is lost, nothing charged twice.
"""

import logging
import random
import time
from collections import Counter as Counted
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import Any, Final, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from prometheus_client import CollectorRegistry, Counter, Gauge

from plans import usage
from plans.usage import Result, ResultStatus
from plans.usage_lines import MAXIMUM_LINE_BYTES, reject_long
from plans.usage_records import ParsedRecord, Rejected, parse_line

logger = structlog.get_logger(__name__)
_librdkafka = logging.getLogger(f"{__name__}.librdkafka")

#: What passes when somebody mends the database; the messages are not to blame.
_AWAY: Final = (OperationalError, InterfaceError, ProgrammingError)
_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0
_FLUSH_SECONDS: Final = 30.0
_TOPICS_SECONDS: Final = 10.0
_REPORT_SECONDS: Final = 10.0
#: Of the messages that librdkafka reads ahead.
_READ_AHEAD_KIBIBYTES: Final = 16 * 1024

REGISTRY: Final = CollectorRegistry()
CONSUMED: Final = Counter(
    "billing_portal_usage_consumed", "Messages by result.", ["result"], registry=REGISTRY
)
LAG: Final = Gauge(
    "billing_portal_usage_consumer_lag",
    "Messages not yet read, of the partitions that this consumer has.",
    ["partition"],
    registry=REGISTRY,
)
WAITING: Final = Gauge(
    "billing_portal_usage_consumer_waiting",
    "1 while database or dead-letter topic are away and nothing is read.",
    registry=REGISTRY,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """Where usage is read from, and how much at once."""

    bootstrap_servers: str
    topic: str
    dead_letter_topic: str
    group: str
    batch_size: int = 1_000
    #: How many seconds a batch may wait to be full.
    linger: float = 0.5
    #: More of librdkafka's options, such as how to sign in.
    options: dict[str, Any] = field(default_factory=dict)


class ConsumerError(Exception):
    """Kafka can't be read from; says what to do."""


class _DeadLettersNotKept(Exception):
    """The dead-letter topic did not confirm what was sent to it."""


class _Stopped(Exception):
    """It was asked to stop while it waited."""


class UsageConsumer:
    """One consumer of the group; as many as there are partitions share the work."""

    def __init__(self, source: Source, *, clock: Callable[[], datetime], stop: Event) -> None:
        """Connect. Raises ConsumerError."""
        self.source = source
        self.clock = clock
        self.stop = stop
        common = {"bootstrap.servers": source.bootstrap_servers, **source.options}
        try:
            self.consumer = Consumer(
                {
                    "auto.offset.reset": "earliest",
                    "queued.max.messages.kbytes": _READ_AHEAD_KIBIBYTES,
                    **common,
                    "group.id": source.group,
                    "enable.auto.commit": False,
                },
                logger=_librdkafka,
            )
            # What only a consumer understands is no concern of the producer.
            of_both = ("bootstrap.", "security.", "sasl.", "ssl.", "client.", "socket.")
            self.producer = Producer(
                {name: value for name, value in common.items() if name.startswith(of_both)}
                | {"acks": "all", "message.timeout.ms": int(_FLUSH_SECONDS * 1000)},
                logger=_librdkafka,
            )
        except (KafkaException, ValueError, TypeError) as error:
            raise ConsumerError(f"Kafka's options are not valid: {error}") from error
        self.counts = Counted[ResultStatus]()
        self._held: list[Message] = []
        self._reported_at = time.monotonic()

    def run(self) -> None:
        """Consume until `stop` is set; the batch in hand is finished. Raises ConsumerError."""
        self._look_for_topics()
        self.consumer.subscribe([self.source.topic])
        try:
            while not self.stop.is_set():
                messages = self._next_batch()
                if messages:
                    self._carry_out(messages)
                self._observe()
        except _Stopped:
            logger.warning("stopped while waiting; what was not recorded is read again")
        except KafkaException as error:
            raise ConsumerError(f"Kafka: {error}") from error
        finally:
            self.consumer.close()

    def _look_for_topics(self) -> None:
        try:
            known = self.consumer.list_topics(timeout=_TOPICS_SECONDS).topics
        except KafkaException as error:
            raise ConsumerError(
                f"No broker answers at {self.source.bootstrap_servers}: {error}"
            ) from error
        for topic in (self.source.topic, self.source.dead_letter_topic):
            if topic not in known:
                raise ConsumerError(f"There is no topic {topic}: create it first.")

    def _next_batch(self) -> list[Message]:
        """Return what came until the batch is full or has waited long enough."""
        held, self._held = self._held, []
        wanted = max(1, self.source.batch_size - len(held))
        came = self.consumer.consume(wanted, timeout=self.source.linger)
        messages = []
        for message in [*held, *came]:
            error = message.error()
            if error is None:
                messages.append(message)
            elif error.fatal():
                raise KafkaException(error)
            else:
                logger.warning("a partition can't be read just now", error=str(error))
        return messages

    def _carry_out(self, messages: Sequence[Message]) -> None:
        """Record the batch, keep what is rejected, and only then commit the offsets."""
        records = [_parse(message.value() or b"") for message in messages]
        results = self._until_done(lambda: record_each(records, now=self.clock()))
        rejected = [
            (message, result)
            for message, result in zip(messages, results, strict=True)
            if result.status == ResultStatus.REJECTED
        ]
        if rejected:
            self._until_done(lambda: self._keep(rejected))
        self._commit(messages)
        for result in results:
            self.counts[result.status] += 1
            CONSUMED.labels(result.status).inc()

    def _until_done(self, attempt: Callable[[], T]) -> T:
        """Attempt it until it succeeds; meanwhile read nothing, and stay in the group."""
        for delay in _delays():
            try:
                done = attempt()
            except (*_AWAY, _DeadLettersNotKept) as error:
                logger.warning(
                    "waiting", error=f"{type(error).__name__}: {error}", seconds=round(delay, 1)
                )
                connection.close()
                WAITING.set(1)
                self._wait(delay)
            else:
                WAITING.set(0)
                self.consumer.resume(self.consumer.assignment())
                return done
        raise _Stopped

    def _wait(self, seconds: float) -> None:
        """Wait. Kafka must be polled, or the group takes this consumer for dead."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.stop.is_set():
                raise _Stopped
            self.consumer.pause(self.consumer.assignment())
            # Of a partition that was assigned just now something may come before it is paused.
            message = self.consumer.poll(min(left, self.source.linger))
            if message is not None:
                self._held.append(message)

    def _keep(self, rejected: Sequence[tuple[Message, Result]]) -> None:
        """Send the rejected messages to the dead-letter topic, and wait until it has them."""
        failures = []

        def delivered(error: Any, message: Message) -> None:
            if error is not None:
                failures.append(error)

        for message, result in rejected:
            code = "internal_error" if result.code is None else result.code.value
            self.producer.produce(
                self.source.dead_letter_topic,
                key=message.key(),
                value=message.value(),
                headers={
                    "code": code,
                    "detail": result.detail,
                    "source": f"{message.topic()}/{message.partition()}/{message.offset()}",
                },
                on_delivery=delivered,
            )
        left = self.producer.flush(_FLUSH_SECONDS)
        if failures or left:
            self.producer.purge()
            reason = failures[0] if failures else "no answer"
            raise _DeadLettersNotKept(f"{self.source.dead_letter_topic}: {reason}")

    def _commit(self, messages: Sequence[Message]) -> None:
        """Commit the offsets. Where that fails, the messages are read again by whoever has them."""
        mine = {(each.topic, each.partition) for each in self.consumer.assignment()}
        ends: dict[tuple[str, int], int] = {}
        for message in messages:
            place = (str(message.topic()), int(message.partition() or 0))
            if place in mine:
                ends[place] = max(ends.get(place, 0), int(message.offset() or 0) + 1)
        offsets = [TopicPartition(topic, part, end) for (topic, part), end in ends.items()]
        try:
            if offsets:
                self.consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            logger.warning("the offsets were not committed", error=str(error))

    def _observe(self) -> None:
        """Tell how far behind this consumer is, and now and then what it did."""
        if time.monotonic() - self._reported_at < _REPORT_SECONDS:
            return
        self._reported_at = time.monotonic()
        LAG.clear()
        total = 0
        for each in self.consumer.position(self.consumer.assignment()):
            with suppress(KafkaException):
                _, end = self.consumer.get_watermark_offsets(each, cached=True)
                behind = max(0, end - max(0, each.offset))
                LAG.labels(str(each.partition)).set(behind)
                total += behind
        counts = {status.value: self.counts[status] for status in ResultStatus}
        logger.info("usage consumed", lag=total, **counts)


def record_each(records: Sequence[ParsedRecord | Rejected], *, now: datetime) -> list[Result]:
    """Record them; one that brings its batch down is rejected by itself.

    Raises what says that the database is away, which no record is to blame for.
    """
    try:
        return usage.record(records=records, now=now)
    except _AWAY:
        raise
    except Exception as error:  # whatever it is, the stream must go on
        if len(records) > 1:
            half = len(records) // 2
            return [
                *record_each(records[:half], now=now),
                *record_each(records[half:], now=now),
            ]
        logger.exception("a record can't be recorded")
        detail = f"The record can't be recorded ({type(error).__name__}); see the portal's log."
        return [Result(records[0].id, ResultStatus.REJECTED, detail=detail)]


def _parse(value: bytes) -> ParsedRecord | Rejected:
    return reject_long() if len(value) > MAXIMUM_LINE_BYTES else parse_line(value)


def _delays() -> Iterator[float]:
    """Yield ever longer waits, not the same for all who wait for the same database."""
    delay = _FIRST_DELAY
    while True:
        yield delay * random.uniform(0.5, 1.0)  # noqa: S311
        delay = min(delay * 2, _LONGEST_DELAY)
