"""What the platform is told: signed, and posted until it is taken."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from accounts import outbox, platform_webhooks, service_state
from accounts.models import Account, AuditEvent, Message, MessageChannel, PauseReason, User
from accounts.tasks import deliver_messages
from accounts.tests.factories import NOW, make_account
from accounts.tests.platform_side import SECRET, Platform, deliver, record
from accounts.tests.test_notices import EXAMPLES

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def account() -> Account:
    return make_account(name="Muscat Freight", external_id="customer-42")


def record_email(account: Account, now: datetime = NOW) -> None:
    outbox.record_email(
        account=account,
        event="transaction_paid",
        key="paid",
        context=EXAMPLES["transaction_paid"],
        now=now,
    )


# Recording ------------------------------------------------------------------------------------


def test_an_event_is_recorded_once_for_its_cause(account: Account) -> None:
    record(account)
    record(account)

    message = Message.objects.get()
    assert (message.channel, message.sent_at) == (MessageChannel.PLATFORM, None)
    assert message.payload == {"reasons": ["negative_balance"]}
    assert str(message) == "services.paused to the platform"


def test_where_no_platform_listens_nothing_is_recorded_for_it(
    account: Account, settings: Settings
) -> None:
    settings.PLATFORM_WEBHOOK_URL = ""
    record(account)
    service_state.pause(account_ids=[account.pk], reason=PauseReason.LOCKED, now=NOW)

    assert [message.channel for message in Message.objects.all()] == [MessageChannel.EMAIL]


def test_what_waits_when_the_platform_stops_listening_rests(
    account: Account, settings: Settings
) -> None:
    record(account)
    settings.PLATFORM_WEBHOOK_URL = ""

    assert deliver() == 0
    assert Message.objects.get().attempts == 0


# What is posted -------------------------------------------------------------------------------


def test_a_pause_is_told_once_with_its_account_and_reasons(
    account: Account, platform: Platform
) -> None:
    for _ in range(2):
        service_state.pause(account_ids=[account.pk], reason=PauseReason.NEGATIVE_BALANCE, now=NOW)

    assert deliver() == 1
    assert deliver(NOW + MINUTE) == 0

    [(path, headers, body)] = platform.got
    assert path == "/hooks/billing"
    assert headers["Content-Type"] == "application/json"
    assert headers["Host"] == f"127.0.0.1:{platform.port}"
    assert json.loads(body) == {
        "type": "services.paused",
        "timestamp": "2026-11-23T09:30:00Z",
        "data": {
            "account": {"id": str(account.pk), "external_id": "customer-42"},
            "reasons": ["negative_balance"],
        },
    }
    message = Message.objects.get(channel=MessageChannel.PLATFORM)
    assert (message.sent_at, message.attempts, message.last_error) == (NOW, 1, "")


def test_the_signature_is_the_specifications(account: Account, platform: Platform) -> None:
    now = datetime.now(UTC)
    record(account)
    deliver(now)

    [(_, headers, body)] = platform.got
    sent = dict(headers.items())
    assert headers["webhook-timestamp"] == str(int(now.timestamp()))
    assert Webhook(SECRET).verify(body, sent)["type"] == "services.paused"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "YW5vdGhlciBrZXkh" * 2).verify(body, sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"paused", b"resumed"), sent)


def test_the_example_of_the_documentation_verifies_it(account: Account, platform: Platform) -> None:
    record(account)
    deliver()

    [(_, headers, body)] = platform.got
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"].split() == [f"v1,{signature}"]


# Trying again ---------------------------------------------------------------------------------


def test_an_event_that_was_not_taken_is_posted_again_under_its_own_id(
    account: Account, platform: Platform
) -> None:
    platform.answers = [500]
    record(account)

    assert deliver() == 0
    message = Message.objects.get()
    assert message.last_error == "PlatformRefused: The platform answered 500."
    assert message.next_attempt_at == NOW + MINUTE
    assert deliver(NOW + MINUTE / 2) == 0
    assert len(platform.got) == 1, "nothing is tried before its time"

    assert deliver(NOW + MINUTE) == 1
    assert platform.header("webhook-id") == [f"message-{message.pk}"] * 2
    first, second = platform.header("webhook-timestamp")
    assert int(second) - int(first) == 60
    message.refresh_from_db()
    assert (message.sent_at, message.attempts, message.last_error) == (NOW + MINUTE, 2, "")


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 429, 503])
def test_whatever_is_not_2xx_was_not_taken_and_no_redirect_is_followed(
    account: Account, platform: Platform, status: int
) -> None:
    platform.answers = [status]
    record(account)

    assert deliver() == 0
    assert [path for path, *_ in platform.got] == ["/hooks/billing"]
    assert str(status) in Message.objects.get().last_error


def test_an_event_nobody_takes_is_given_up_after_three_days(
    account: Account, platform: Platform
) -> None:
    platform.answers = [500] * 100
    record(account)
    tried: list[datetime] = []
    now = NOW
    while not deliver(now) and len(platform.got) > len(tried):
        tried.append(now)
        now = Message.objects.get().next_attempt_at

    assert timedelta(days=2.5) < tried[-1] - NOW <= timedelta(days=3)
    assert len(tried) == outbox.MAXIMUM_ATTEMPTS
    assert deliver(NOW + timedelta(days=30)) == 0
    assert len(platform.got) == len(tried)


def test_one_event_the_platform_does_not_take_holds_back_no_other(
    account: Account, platform: Platform
) -> None:
    platform.answers = [500]
    record(account, key="bad", now=NOW - MINUTE)
    record(account, key="good")

    assert deliver() == 1
    assert Message.objects.get(key="good").sent_at == NOW


def test_a_dead_platform_is_waited_for_once_a_run_and_holds_back_no_email(
    account: Account, platform: Platform
) -> None:
    now = datetime.now(UTC)
    for number in range(3):
        record(account, key=f"{number}", now=now)
    record_email(account, now=now)
    platform.server.server_close()

    assert deliver_messages() == 1

    assert len(mail.outbox) == 1
    events = Message.objects.filter(channel=MessageChannel.PLATFORM).order_by("pk")
    assert [event.attempts for event in events] == [1, 0, 0]
    assert events[0].last_error.startswith("PlatformUnreachable: ConnectionError")


def test_a_platform_that_does_not_answer_in_time_is_unreachable(
    account: Account, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform_webhooks, "TIMEOUT_SECONDS", 0.2)
    platform.server.shutdown()  # connections are still taken in, and nobody serves them
    record(account)

    assert deliver() == 0
    assert "timed out" in Message.objects.get().last_error


def test_the_task_delivers_both_channels(account: Account, platform: Platform) -> None:
    now = datetime.now(UTC)
    record(account, now=now)
    record_email(account, now=now)

    assert deliver_messages() == 2
    assert (len(platform.got), len(mail.outbox)) == (1, 1)


# Sending again --------------------------------------------------------------------------------


def test_what_was_sent_is_sent_again_under_the_same_id_and_on_record(
    account: Account, platform: Platform
) -> None:
    support = User.objects.create_user("support@badal.test")
    record(account)
    deliver()
    message = Message.objects.get()

    assert outbox.replay(messages=[message], by=support, reason="Never came", now=NOW + MINUTE) == 1
    assert deliver(NOW + MINUTE) == 1

    assert platform.header("webhook-id") == [f"message-{message.pk}"] * 2
    event = AuditEvent.objects.get(action="message_replayed")
    assert (event.account, event.actor, event.created_at) == (account, support, NOW + MINUTE)
    assert event.details == {
        "message": message.pk,
        "event": "services.paused",
        "channel": "platform",
        "attempts": 1,
        "sent_at": NOW.isoformat(),
    }


def test_what_was_given_up_gets_all_its_attempts_again(
    account: Account, platform: Platform
) -> None:
    record(account)
    Message.objects.update(
        attempts=outbox.MAXIMUM_ATTEMPTS, last_error="The platform answered 500."
    )
    assert deliver(NOW + MINUTE) == 0

    outbox.replay(
        messages=Message.objects.all(),
        by=User.objects.create(),
        reason="Never came",
        now=NOW + MINUTE,
    )

    message = Message.objects.get()
    assert (message.attempts, message.last_error) == (0, "")
    assert deliver(NOW + MINUTE) == 1


def test_an_email_is_sent_again_too(account: Account) -> None:
    record_email(account)
    outbox.deliver_due(now=NOW)
    outbox.replay(
        messages=Message.objects.all(),
        by=User.objects.create(),
        reason="Never came",
        now=NOW + MINUTE,
    )

    assert outbox.deliver_due(now=NOW + MINUTE) == 1
    assert len(mail.outbox) == 2


def test_an_event_is_left_alone_where_no_platform_listens(
    account: Account, platform: Platform, settings: Settings
) -> None:
    record(account)
    deliver()
    settings.PLATFORM_WEBHOOK_URL = ""

    assert (
        outbox.replay(
            messages=Message.objects.all(), by=User.objects.create(), reason="Lost", now=NOW
        )
        == 0
    )
    assert Message.objects.get().sent_at == NOW
    assert not AuditEvent.objects.exists()
