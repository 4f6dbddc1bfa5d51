"""`manage.py consume_usage`: usage from a Kafka topic, until it is told to stop."""

import signal
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from prometheus_client import start_http_server

from plans.usage_records import MAXIMUM_RECORDS


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        raise ArgumentTypeError("must be HOST:PORT, such as 127.0.0.1:9400.")
    return host or "0.0.0.0", int(port)  # noqa: S104


class Command(BaseCommand):
    """Run as many as there are partitions; each takes its share, and over from one that died."""

    help = (
        "Consume usage records from a Kafka topic. Offsets are committed only after the database "
        "has the records; what is rejected goes to the dead-letter topic with the reason."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what the settings say, unless told otherwise."""
        parser.add_argument("--topic", default=settings.KAFKA_USAGE_TOPIC)
        parser.add_argument("--dead-letter-topic", default=settings.KAFKA_DEAD_LETTER_TOPIC)
        parser.add_argument("--group", default=settings.KAFKA_USAGE_GROUP)
        parser.add_argument(
            "--batch-size", type=int, default=1_000, help="Records at most in a transaction; 1,000."
        )
        parser.add_argument(
            "--linger", type=float, default=0.5, help="Seconds that a batch may wait; 0.5."
        )
        parser.add_argument(
            "--metrics", type=_address, help="HOST:PORT where Prometheus may read the metrics."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Consume until SIGTERM or SIGINT; the batch in hand is finished first."""
        try:
            from plans import usage_consumer
        except ModuleNotFoundError as error:
            raise CommandError(
                "Kafka needs confluent-kafka: pip install -r requirements-kafka.txt"
            ) from error
        if not settings.KAFKA_BOOTSTRAP_SERVERS:
            raise CommandError("Set KAFKA_BOOTSTRAP_SERVERS to your brokers, host:port,host:port.")
        if not 1 <= options["batch_size"] <= MAXIMUM_RECORDS:
            raise CommandError(f"--batch-size must be from 1 to {MAXIMUM_RECORDS:,}.")
        if not 0.01 <= options["linger"] <= 60:
            raise CommandError("--linger must be from 0.01 to 60 seconds.")
        if options["topic"] == options["dead_letter_topic"]:
            raise CommandError("The dead-letter topic must be another one, or it feeds itself.")
        if options["metrics"]:
            host, port = options["metrics"]
            start_http_server(port, host, registry=usage_consumer.REGISTRY)
        source = usage_consumer.Source(
            bootstrap_servers=settings.KAFKA_BOOTSTRAP_SERVERS,
            topic=options["topic"],
            dead_letter_topic=options["dead_letter_topic"],
            group=options["group"],
            batch_size=options["batch_size"],
            linger=options["linger"],
            options=settings.KAFKA_OPTIONS,
        )
        try:
            with _stopping() as stop:
                usage_consumer.UsageConsumer(source, clock=timezone.now, stop=stop).run()
        except usage_consumer.ConsumerError as error:
            raise CommandError(str(error)) from error


@contextmanager
def _stopping() -> Iterator[Event]:
    """Yield what SIGTERM and SIGINT set meanwhile."""
    stop = Event()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
