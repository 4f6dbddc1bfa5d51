"""The outbox: recorded with its cause, sent once, retried when it fails."""

import smtplib
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings, settings
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, transaction

from accounts import emails, outbox
from accounts.models import Account, Message, MessageChannel
from accounts.tasks import deliver_messages
from accounts.tests.factories import NOW, make_account
from accounts.tests.test_notices import EXAMPLES

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def account() -> Account:
    return make_account(name="Muscat Freight", timezone="Asia/Muscat", owner_email="o@muscat.test")


def record(account: Account, key: str = "transaction-1-paid", **changes: Any) -> None:
    """Record the receipt mail of an example payment."""
    outbox.record_email(
        **{
            "account": account,
            "event": "transaction_paid",
            "key": key,
            "context": EXAMPLES["transaction_paid"],
            "now": NOW,
            **changes,
        }
    )


class FailingBackend(EmailBackend):
    """A mail server that refuses the addresses in `refused` and counts what it was asked."""

    refused: set[str] = set()
    asked = 0

    def send_messages(self, messages: Any) -> int:
        """Refuse or deliver."""
        FailingBackend.asked += 1
        if self.refused.intersection(messages[0].to):
            raise smtplib.SMTPRecipientsRefused({messages[0].to[0]: (550, b"No such mailbox")})
        return super().send_messages(messages)


@pytest.fixture
def mail_server(settings: LazySettings) -> Iterator[type[FailingBackend]]:
    settings.EMAIL_BACKEND = f"{__name__}.FailingBackend"
    FailingBackend.refused, FailingBackend.asked = {"o@muscat.test"}, 0
    yield FailingBackend
    FailingBackend.refused = set()


# Recording ------------------------------------------------------------------------------------


def test_a_message_is_recorded_once_for_its_cause(account: Account) -> None:
    record(account)
    record(account)
    record(account, key="transaction-2-paid")

    assert Message.objects.filter(channel=MessageChannel.EMAIL).count() == 2


def test_a_message_vanishes_with_the_change_that_failed(account: Account) -> None:
    def change() -> None:
        with transaction.atomic():
            record(account)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()

    assert not Message.objects.exists()


def test_it_goes_to_the_billing_contact_unless_told_otherwise() -> None:
    account = make_account(owner_email="owner@muscat.test", receipt_email="finance@muscat.test")
    record(account, key="a")
    record(account, key="b", recipient="somebody@muscat.test")

    outbox.deliver_due(now=NOW)

    assert [email.to for email in mail.outbox] == [
        ["finance@muscat.test"],
        ["somebody@muscat.test"],
    ]


def test_an_unknown_event_or_an_incomplete_context_is_refused_at_once(account: Account) -> None:
    with pytest.raises(ValueError, match="no notice called 'transaction_payed'"):
        record(account, event="transaction_payed")
    with pytest.raises(ValueError, match=r"also needs .*amount"):
        record(account, context={"number": "T-1"})


def test_an_email_and_a_platform_event_may_share_a_key(account: Account) -> None:
    record(account, key="transaction-1")
    outbox.record_platform_event(
        account=account, event="transaction.paid", key="transaction-1", data={}, now=NOW
    )

    assert Message.objects.count() == 2


# Delivery -------------------------------------------------------------------------------------


def test_what_is_due_is_sent_once(account: Account) -> None:
    record(account)

    assert outbox.deliver_due(now=NOW) == 1
    assert outbox.deliver_due(now=NOW + 10 * MINUTE) == 0

    (email,) = mail.outbox
    assert email.subject == "Receipt BT-000042: $99.00 paid"
    assert email.from_email == settings.DEFAULT_FROM_EMAIL
    message = Message.objects.get()
    assert (message.sent_at, message.attempts, message.last_error) == (NOW, 1, "")


def test_the_task_sends_what_is_due_now(account: Account) -> None:
    record(account, now=datetime.now(UTC))

    assert deliver_messages() == 1


def test_the_message_id_is_that_of_the_message(account: Account) -> None:
    record(account)
    message = Message.objects.get()

    first, again = (emails.compose(message).message()["Message-ID"] for _ in range(2))

    assert first == again == f"<message-{message.pk}@127.0.0.1>"


def test_oldest_first_and_no_more_than_the_limit(account: Account) -> None:
    for number in range(3):
        record(
            account, key=f"{number}", recipient=f"{number}@muscat.test", now=NOW - number * MINUTE
        )

    assert outbox.deliver_due(now=NOW, limit=2) == 2
    assert [email.to[0] for email in mail.outbox] == ["2@muscat.test", "1@muscat.test"]


def test_nothing_is_sent_before_its_time(account: Account) -> None:
    record(account, now=NOW + MINUTE)

    assert outbox.deliver_due(now=NOW) == 0


def test_a_failure_is_noted_and_holds_back_no_other(
    account: Account, mail_server: type[FailingBackend]
) -> None:
    record(account, key="refused")
    record(account, key="fine", recipient="other@muscat.test")

    assert outbox.deliver_due(now=NOW) == 1

    refused = Message.objects.get(key="refused")
    assert refused.sent_at is None
    assert "No such mailbox" in refused.last_error
    assert refused.next_attempt_at == NOW + MINUTE


def test_it_is_tried_again_later_and_later_for_three_days(
    account: Account, mail_server: type[FailingBackend]
) -> None:
    record(account)

    tried: list[int] = []
    now = NOW
    while outbox.deliver_due(now=now) == 0 and mail_server.asked > len(tried):
        tried.append((now - NOW) // MINUTE)
        next_attempt_at = Message.objects.get().next_attempt_at
        outbox.deliver_due(now=next_attempt_at - MINUTE / 60)
        assert mail_server.asked == len(tried), "nothing is tried before its time"
        now = next_attempt_at

    hours = [2, 7, 17, 31, 51, 71]
    assert tried == [0, 1, 6, 36, *(36 + 60 * each for each in hours)]
    assert outbox.deliver_due(now=NOW + timedelta(days=30)) == 0
    assert mail_server.asked == len(tried)


def test_a_message_that_failed_is_sent_when_the_server_is_back(
    account: Account, mail_server: type[FailingBackend]
) -> None:
    record(account)
    outbox.deliver_due(now=NOW)

    mail_server.refused = set()

    assert outbox.deliver_due(now=NOW + MINUTE) == 1
    message = Message.objects.get()
    assert (message.sent_at, message.attempts, message.last_error) == (NOW + MINUTE, 2, "")


def test_what_a_dead_worker_claimed_is_due_again_after_its_lease(account: Account) -> None:
    record(account)
    assert outbox._claim_next(MessageChannel.EMAIL, now=NOW) is not None  # and then the worker dies

    assert outbox.deliver_due(now=NOW + 4 * MINUTE) == 0
    assert outbox.deliver_due(now=NOW + 5 * MINUTE) == 1


def test_a_context_the_templates_cannot_show_does_not_stop_the_rest(account: Account) -> None:
    broken = {**EXAMPLES["transaction_paid"], "paid_at": "yesterday"}
    record(account, key="broken", context=broken)
    record(account, key="fine")

    assert outbox.deliver_due(now=NOW) == 1
    assert "isoformat" in Message.objects.get(key="broken").last_error


@pytest.mark.parametrize("is_silent", [False, True], ids=["refuses", "says nothing"])
def test_a_mail_server_that_is_away_is_asked_once_in_a_run(
    account: Account, settings: LazySettings, is_silent: bool
) -> None:
    """A hundred e-mails would each wait as long, and give up after three days in vain."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_TIMEOUT = 0.05
    for number in range(5):
        record(account, key=f"{number}", now=NOW - (5 - number) * MINUTE)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if is_silent:
            server.listen()
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()
        assert outbox.deliver_due(now=NOW) == 0
        assert outbox.deliver_due(now=NOW) == 0

    tried = Message.objects.filter(attempts=1).order_by("key")
    assert list(tried.values_list("key", flat=True)) == ["0", "1"]
    assert all(message.last_error.startswith("MailServerAway") for message in tried)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert outbox.deliver_due(now=NOW + MINUTE) == 5


@pytest.mark.django_db(transaction=True)
def test_no_row_is_locked_while_the_mail_server_takes_its_time(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(account)
    seen: list[bool] = []

    def deliver(self: EmailBackend, messages: list[Any]) -> int:
        seen.append(connection.in_atomic_block)
        return len(messages)

    monkeypatch.setattr(EmailBackend, "send_messages", deliver)

    outbox.deliver_due(now=NOW)

    assert seen == [False]


@pytest.mark.django_db(transaction=True)
def test_eight_workers_at_once_send_each_message_once(account: Account) -> None:
    for number in range(40):
        record(account, key=f"{number}", recipient=f"{number}@muscat.test")
    counts: list[int] = []
    barrier = threading.Barrier(8)

    def work() -> None:
        try:
            barrier.wait()
            counts.append(outbox.deliver_due(now=NOW))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sum(counts) == 40
    assert sorted(email.to[0] for email in mail.outbox) == sorted(
        f"{number}@muscat.test" for number in range(40)
    )


def test_now_is_an_argument_all_the_way_down(account: Account) -> None:
    long_ago = datetime.fromisoformat("2020-01-01T00:00:00+00:00")
    record(account, now=long_ago)

    outbox.deliver_due(now=long_ago)

    assert Message.objects.get().sent_at == long_ago
