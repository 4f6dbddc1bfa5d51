"""The outbox in the admin: what a message says, each attempt, and sending it again."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts import delivery_log, outbox
from accounts.models import Account, AuditEvent, Message, User
from accounts.tests.factories import NOW, make_account
from accounts.tests.test_notices import EXAMPLES

LIST = "admin:accounts_message_changelist"


@pytest.fixture
def account(db: None) -> Account:
    return make_account(name="Muscat Freight LLC")


@pytest.fixture
def given_up(account: Account) -> Message:
    """An event the platform did not take for three days."""
    outbox.record_platform_event(
        account=account, event="services.paused", key="pause-7", data={}, now=NOW
    )
    Message.objects.update(attempts=outbox.MAXIMUM_ATTEMPTS, last_error="The platform answered 500")
    return Message.objects.get()


@pytest.fixture
def receipt(account: Account) -> Message:
    """An e-mail that was sent."""
    return Message.objects.create(
        account=account,
        channel="email",
        event="low_balance",
        key="low-balance-1",
        recipient="owner@muscat.test",
        attempts=1,
        sent_at=NOW,
        created_at=NOW,
        next_attempt_at=NOW,
    )


WHY = {"reason": "The platform was down"}


def staff(*codenames: str) -> tuple[Client, User]:
    """Return a signed-in member of staff with these permissions."""
    user = User.objects.create_user("support@staff.test", "a-long-password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client, user


def again_url(message: Message) -> str:
    return reverse("admin:accounts_message_send_again", args=[message.pk])


def selected(*messages: Message, action: str = "send_selected_again") -> dict[str, object]:
    return {"action": action, "_selected_action": [message.pk for message in messages]}


def test_messages_are_selected_and_sent_again(given_up: Message, receipt: Message) -> None:
    client, user = staff("view_message", "change_message")
    assert "Send again" in client.get(reverse(LIST)).content.decode()

    page = client.post(reverse(LIST), selected(given_up, receipt)).content.decode()
    assert "2 marked" in page
    given_up.refresh_from_db()
    assert given_up.attempts == outbox.MAXIMUM_ATTEMPTS, "asking why sends nothing"
    answer = client.post(
        reverse(LIST), {**selected(given_up, receipt), "answers": "1", **WHY}, follow=True
    )

    assert "2 to be sent again." in answer.content.decode()
    for message in Message.objects.all():
        assert (message.attempts, message.sent_at, message.last_error) == (0, None, "")
    events = AuditEvent.objects.filter(action="message_replayed", actor=user).order_by("pk")
    assert {event.reason for event in events} == {WHY["reason"]}
    assert [event.details["event"] for event in events] == ["services.paused", "low_balance"]


def test_one_is_sent_again_from_its_page_when_confirmed(receipt: Message) -> None:
    client, _ = staff("view_message", "change_message")
    change = reverse("admin:accounts_message_change", args=[receipt.pk])
    assert again_url(receipt) in client.get(change).content.decode()

    page = client.get(again_url(receipt)).content.decode()
    assert "It goes to owner@muscat.test" in page
    assert "may get it twice" in page
    receipt.refresh_from_db()
    assert receipt.sent_at == NOW, "looking sends nothing"

    answer = client.post(again_url(receipt), WHY)
    assert (answer.status_code, answer["Location"]) == (302, change)
    receipt.refresh_from_db()
    assert receipt.sent_at is None


def test_without_the_permission_nothing_is_sent_again(given_up: Message) -> None:
    client, _ = staff("view_message")
    change = reverse("admin:accounts_message_change", args=[given_up.pk])

    assert again_url(given_up) not in client.get(change).content.decode()
    assert "send_selected_again" not in client.get(reverse(LIST)).content.decode()
    assert client.post(reverse(LIST), selected(given_up)).status_code == 403
    assert client.get(again_url(given_up)).status_code == 403
    assert client.post(again_url(given_up)).status_code == 403
    given_up.refresh_from_db()
    assert given_up.attempts == outbox.MAXIMUM_ATTEMPTS
    assert not AuditEvent.objects.exists()


def test_who_may_send_again_may_do_nothing_else(given_up: Message) -> None:
    client, _ = staff("view_message", "change_message", "delete_message", "add_message")
    change = reverse("admin:accounts_message_change", args=[given_up.pk])

    assert client.post(change, {"recipient": "me@staff.test"}).status_code == 403
    answer = client.post(reverse(LIST), selected(given_up, action="delete_selected"))
    assert answer.status_code == 403
    assert Message.objects.get() == given_up


def test_where_no_platform_listens_it_says_so(given_up: Message, settings: Settings) -> None:
    settings.PLATFORM_WEBHOOK_URL = ""
    client, _ = staff("view_message", "change_message")

    answer = client.post(again_url(given_up), WHY, follow=True)

    assert "no platform listens" in answer.content.decode()
    given_up.refresh_from_db()
    assert given_up.attempts == outbox.MAXIMUM_ATTEMPTS


@pytest.mark.parametrize("number", ["0", "999999", "nonsense", "9" * 40])
def test_a_message_that_is_not_there_is_not_found(db: None, number: str) -> None:
    client, _ = staff("view_message", "change_message")
    address = reverse("admin:accounts_message_send_again", args=[number])

    assert client.post(address).status_code == 404


# What it says -----------------------------------------------------------------------------------
def test_an_email_is_shown_as_it_goes_out(account: Account) -> None:
    outbox.record_email(
        account=account, event="low_balance", key="low", context=EXAMPLES["low_balance"], now=NOW
    )
    message = Message.objects.get()
    client, _ = staff("view_message")

    page = client.get(reverse("admin:accounts_message_change", args=[message.pk]))
    html = client.get(reverse("admin:accounts_message_html", args=[message.pk]))

    assert "Your balance is low: $8.20. It fell below $10.00." in page.content.decode()
    assert 'sandbox="allow-top-navigation-by-user-activation"' in page.content.decode()
    assert "Your balance is low: $8.20" in html.content.decode()
    assert "default-src 'none'" in html["Content-Security-Policy"]
    assert html["X-Frame-Options"] == "SAMEORIGIN"


def test_an_event_is_shown_as_it_is_posted(given_up: Message) -> None:
    client, _ = staff("view_message")
    page = client.get(reverse("admin:accounts_message_change", args=[given_up.pk]))
    assert "&quot;type&quot;: &quot;services.paused&quot;" in page.content.decode()
    address = reverse("admin:accounts_message_html", args=[given_up.pk])
    assert client.get(address).status_code == 404


def test_one_that_cannot_be_composed_still_opens(receipt: Message) -> None:
    Message.objects.update(event="of_another_version")
    client, _ = staff("view_message")
    page = client.get(reverse("admin:accounts_message_change", args=[receipt.pk]))
    assert "It cannot be composed: TemplateDoesNotExist" in page.content.decode()


def test_without_the_permission_no_email_is_shown(receipt: Message) -> None:
    client, _ = staff("view_account")
    address = reverse("admin:accounts_message_html", args=[receipt.pk])
    assert client.get(address).status_code == 403


def test_each_attempt_is_listed_with_its_answer(given_up: Message) -> None:
    delivery_log.note(
        message=given_up,
        started_at=NOW,
        duration=timedelta(seconds=1.5),
        status=500,
        error="The platform answered 500.",
    )
    client, _ = staff("view_message", "view_deliveryattempt")
    page = client.get(reverse("admin:accounts_message_change", args=[given_up.pk]))
    listed = client.get(reverse("admin:accounts_deliveryattempt_changelist"))
    for answer in (page, listed):
        assert "1.50 s" in answer.content.decode()
        assert "The platform answered 500." in answer.content.decode()
