"""What log lines say of a request: its id, whose it is, and no secret of its address."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from celery.contrib.testing.worker import start_worker
from django.test import Client

from accounts.stripe_objects import Outcome, Payment
from accounts.tests.factories import NOW, make_account
from billing_portal.celery import app
from billing_portal.dashboard.tests.scenes import make_member
from invoices import settlement
from invoices.tests.factories import make_transaction
from tests.live_portal import wait_until
from wallet.tests.factories import make_wallet


class Lines:
    """What was logged as structured lines, with what was bound."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.caplog = caplog

    def of(self, event: str) -> list[dict[str, Any]]:
        said = (record.msg for record in self.caplog.records)
        return [line for line in said if isinstance(line, dict) and line["event"] == event]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    caplog.set_level("INFO")
    yield Lines(caplog)
    structlog.contextvars.clear_contextvars()


def test_an_answer_names_its_request(client: Client, lines: Lines) -> None:
    proxy = {"X-Request-ID": "edge-7f3a91c2"}
    assert client.get("/healthz", headers=proxy)["X-Request-ID"] == "edge-7f3a91c2"
    assert [line["request_id"] for line in lines.of("request")] == ["edge-7f3a91c2"]


@pytest.mark.parametrize("forged", ["", "short", "x" * 65, "two\twords-of-it", '"}{"level":"'])
def test_an_id_that_is_none_is_replaced(client: Client, forged: str) -> None:
    answered = client.get("/healthz", headers={"X-Request-ID": forged})["X-Request-ID"]
    assert answered != forged
    assert len(answered) == 32


@pytest.mark.django_db
def test_a_request_says_whose_it_is_and_not_its_address(client: Client, lines: Lines) -> None:
    salim = make_account()
    client.force_login(make_member(salim), backend="django.contrib.auth.backends.ModelBackend")
    client.get("/billing/history/T-ABCD-EFGH/?card=4242")

    (line,) = lines.of("request")
    assert (line["method"], line["status"]) == ("GET", 404)
    assert line["route"] == "billing/history/<slug:number>/"
    assert (line["account"], line["transaction"]) == (str(salim.pk), "T-ABCD-EFGH")
    assert "4242" not in str(line)


@pytest.mark.django_db
def test_the_secret_of_an_invitation_is_in_no_line(client: Client, lines: Lines) -> None:
    client.get("/invitations/s3cret-token-of-an-invitation/")
    (line,) = lines.of("request")
    assert (line["route"], line["status"]) == ("invitations/<str:token>/", 404)
    assert "Not Found: invitations/<str:token>/" in lines.caplog.text
    assert "s3cret" not in lines.caplog.text


@pytest.mark.django_db
def test_a_payment_is_logged_when_it_is_committed_and_not_before(
    lines: Lines, django_capture_on_commit_callbacks: Any
) -> None:
    salim = make_account()
    make_wallet(salim)
    payment = make_transaction(salim, status="processing", amount="25")
    answer = Payment(Outcome.SUCCEEDED, "pi_1", 9630, "omr", "visa", "4242")
    with django_capture_on_commit_callbacks() as on_commit:
        settlement.settle(transaction_id=payment.pk, payment=answer, now=NOW)
        assert lines.of("transaction_settled") == []
    for callback in on_commit:
        callback()

    (line,) = lines.of("transaction_settled")
    assert line["account"] == str(payment.account_id)
    assert (line["transaction"], line["status"]) == (payment.number, "paid")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("lines")
def test_a_task_carries_the_id_of_the_request_that_sent_it() -> None:
    """Through a broker, by a worker of its own."""
    bound: list[dict[str, Any]] = []

    @app.task(name="tests.look_around")
    def look_around() -> None:
        bound.append(dict(structlog.contextvars.get_contextvars()))

    structlog.contextvars.bind_contextvars(request_id="edge-7f3a91c2")
    with start_worker(app, perform_ping_check=False, pool="solo"):
        sent = look_around.delay()
        structlog.contextvars.clear_contextvars()
        look_around.delay()
        wait_until("both ran", lambda: len(bound) == 2)
    app.tasks.pop("tests.look_around")

    assert bound[0] == {
        "task": "tests.look_around",
        "task_id": sent.id,
        "request_id": "edge-7f3a91c2",
    }
    assert "request_id" not in bound[1]
