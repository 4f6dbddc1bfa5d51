"""The delivery log: each attempt with what came of it, kept unchanged for a while."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, transaction

from accounts import delivery_log, outbox
from accounts.models import Account, DeliveryAttempt, Message, User
from accounts.tests.factories import NOW, make_account
from accounts.tests.platform_side import Platform, deliver, record
from accounts.tests.test_notices import EXAMPLES

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def account() -> Account:
    return make_account(name="Muscat Freight", external_id="customer-42")


def log() -> list[tuple[int, int | None, str]]:
    """Return number, status and error of each attempt, oldest first."""
    attempts = DeliveryAttempt.objects.order_by("pk")
    return list(attempts.values_list("number", "status", "error"))


def test_each_answer_of_the_platform_is_kept(account: Account, platform: Platform) -> None:
    platform.answers = [500, 302]
    record(account)
    for minutes in (0, 1, 6):
        deliver(NOW + minutes * MINUTE)

    assert log() == [
        (1, 500, "PlatformRefused: The platform answered 500."),
        (2, 302, "PlatformRefused: The platform answered 302."),
        (3, 204, ""),
    ]
    attempts = DeliveryAttempt.objects.order_by("pk")
    assert [each.started_at for each in attempts] == [NOW, NOW + MINUTE, NOW + 6 * MINUTE]
    assert all(timedelta(0) < each.duration < timedelta(seconds=10) for each in attempts)


def test_a_platform_that_does_not_answer_has_no_status(
    account: Account, platform: Platform
) -> None:
    platform.close()
    record(account)
    deliver()

    [(number, status, error)] = log()
    assert (number, status) == (1, None)
    assert error.startswith("PlatformUnreachable: ConnectionError")


def test_an_email_is_logged_too(account: Account, settings: LazySettings) -> None:
    outbox.record_email(
        account=account, event="low_balance", key="low", context=EXAMPLES["low_balance"], now=NOW
    )
    settings.EMAIL_BACKEND = "no.such.Backend"
    outbox.deliver_due(now=NOW)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    outbox.deliver_due(now=NOW + MINUTE)

    (first, second) = log()
    assert first[:2] == (1, None)
    assert "ModuleNotFoundError" in first[2]
    assert second == (2, None, "")


def test_sent_again_by_staff_the_earlier_attempts_stay(
    account: Account, platform: Platform
) -> None:
    record(account)
    deliver()
    staff = User.objects.create_user("support@staff.test", is_staff=True)
    outbox.replay(messages=Message.objects.all(), by=staff, reason="Never came", now=NOW + MINUTE)
    deliver(NOW + MINUTE)

    assert log() == [(1, 204, ""), (1, 204, "")]
    assert len(set(platform.header("webhook-id"))) == 1


def test_an_attempt_is_never_changed(account: Account, platform: Platform) -> None:
    record(account)
    deliver()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        DeliveryAttempt.objects.update(error="")


def test_what_is_old_is_forgotten_and_the_message_stays(
    account: Account, platform: Platform
) -> None:
    for day in (0, 5):
        record(account, key=f"{day}")
        deliver(NOW + timedelta(days=day))

    assert delivery_log.forget_old(now=NOW + delivery_log.KEPT) == 0
    assert delivery_log.forget_old(now=NOW + delivery_log.KEPT + MINUTE) == 1
    assert [each.started_at for each in DeliveryAttempt.objects.all()] == [NOW + timedelta(days=5)]
    assert Message.objects.count() == 2
