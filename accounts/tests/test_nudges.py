"""Whatever is wrong with the broker, what was committed stands and its caller is told so."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from celery import Celery
from django.conf import settings
from django.db import transaction
from structlog.testing import capture_logs

from accounts import nudges
from billing_portal.celery import app

TASK = "wallet.refill_accounts"
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def a_broker_that(behaves: str) -> Iterator[str]:
    """Something at the broker's address; yields the address."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if behaves != "refuses":
            server.listen()
        if behaves == "is full":
            Thread(target=_say_to_everything, args=(server, b"-OOM over 'maxmemory'\r\n")).start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        # Ends whoever waits for the next to come.
        if behaves != "refuses":
            server.shutdown(socket.SHUT_RDWR)


def _say_to_everything(server: socket.socket, answer: bytes) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with client:
            while asked := client.recv(4096):
                client.sendall(answer * asked.count(b"*"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("behaves", ["refuses", "says nothing", "is full"])
def test_a_broker_in_trouble_is_nobody_elses_trouble(
    monkeypatch: pytest.MonkeyPatch, behaves: str
) -> None:
    quickly = dict.fromkeys(settings.REDIS_TIMEOUTS, 0.05)
    told: list[str] = []
    with a_broker_that(behaves) as address:
        lost = Celery(
            "lost", set_as_current=False, broker=address, broker_transport_options=quickly
        )
        lost.conf.task_publish_retry_policy = settings.CELERY_TASK_PUBLISH_RETRY_POLICY
        monkeypatch.setattr(nudges, "current_app", lost)
        with capture_logs() as logs, transaction.atomic():
            nudges.after_commit(TASK, ["an-account"])
            transaction.on_commit(lambda: told.append("the next one"))

    assert [line["event"] for line in logs] == ["nudge_lost"]
    assert told == ["the next one"]


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_the_brokers_client_is_nobody_elses_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """kombu has raised this when it lost its connection while it published."""

    def stumble(task: str, args: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'hostname'")

    monkeypatch.setattr(app, "send_task", stumble)
    with capture_logs() as logs:
        nudges.send(TASK, [])

    assert [line["event"] for line in logs] == ["nudge_lost"]


@pytest.mark.django_db(transaction=True)
def test_a_nudge_names_a_task_and_comes_after_the_commit() -> None:
    app.loader.import_default_modules()
    with app.connection_for_read() as broker, broker.SimpleQueue("celery") as queue:
        queue.clear()
        with transaction.atomic():
            nudges.after_commit(TASK, ["an-account"])
            assert queue.qsize() == 0
        message = queue.get(block=False)
        message.ack()

    assert message.headers["task"] in app.tasks
    assert message.payload[0] == [["an-account"]]


@pytest.mark.django_db
def test_every_nudge_names_a_task() -> None:
    app.loader.import_default_modules()
    sources = "".join(
        path.read_text()
        for layer in ("invoices", "wallet", "plans")
        for path in (ROOT / layer).glob("*.py")
    )
    named = set(re.findall(r'nudges\.\w+\(\s*"([^"]*)"', sources))

    assert len(named) > 3
    assert named <= set(app.tasks)
