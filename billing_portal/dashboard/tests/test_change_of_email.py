"""Another address to sign in with: its own mailbox says yes, once, and the old one is told."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from accounts import email_changes, outbox
from accounts.models import Account, AuditEvent, Message, User
from billing_portal.dashboard.tests import scenes

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
PAGE = "/billing/settings/sign-in/email/"
NEW = "layla@salalah.test"


@pytest.fixture
def layla(account: Account) -> User:
    return scenes.make_member(account, email="layla@muscat.test")


@pytest.fixture
def client(layla: User) -> Client:
    """Signed in, and asked for the password again on the way to the page."""
    client = Client()
    typed = {"login": layla.email, "password": scenes.PASSWORD}
    assert client.post("/accounts/login/", typed).status_code == 302
    asked = client.get(PAGE)["Location"]
    assert asked == "/accounts/reauthenticate/?next=%2Fbilling%2Fsettings%2Fsign-in%2Femail%2F"
    assert "Your password, please" in client.get(asked).content.decode()
    again = client.post(asked, {"password": scenes.PASSWORD})
    assert again["Location"] == PAGE
    return client


def ask(client: Client, email: str = NEW) -> str:
    return client.post(PAGE, {"email": email}, follow=True).content.decode()


def link() -> str:
    outbox.deliver_due(now=timezone.now())
    found = re.search(
        r"http://\S+?(/billing/settings/sign-in/email/\S+/)", str(mail.outbox[-1].body)
    )
    assert found
    return found[1]


def test_the_new_address_is_confirmed_and_the_old_one_told(
    client: Client, account: Account, layla: User
) -> None:
    assert f"If {NEW} can be used" in ask(client)
    address = link()
    assert mail.outbox[-1].to == [NEW]
    assert address.split("/")[-2] not in str(Message.objects.get().payload)
    assert f"instead of {layla.email}" in client.get(address).content.decode()

    html = client.post(address, follow=True).content.decode()

    assert f"From now on you sign in with {NEW}." in html
    outbox.deliver_due(now=timezone.now())
    assert mail.outbox[-1].to == ["layla@muscat.test"]
    typed = {"login": NEW, "password": scenes.PASSWORD}
    assert Client().post("/accounts/login/", typed).status_code == 302
    event = AuditEvent.objects.get(account=account, action="member_email_changed")
    assert event.details["after"] == NEW
    assert "This link does not work" in client.post(address, follow=True).content.decode()


def test_both_addresses_are_written_to_in_the_language_of_whoever_changes_it(
    client: Client, account: Account, layla: User
) -> None:
    scenes.make_member(account, language="en")
    User.objects.filter(pk=layla.pk).update(language="ar")

    ask(client)
    address = link()
    assert "أكّد" in mail.outbox[-1].subject
    client.post(address)
    outbox.deliver_due(now=timezone.now())
    assert mail.outbox[-1].to == ["layla@muscat.test"]
    assert mail.outbox[-1].extra_headers["Content-Language"] == "ar"


def test_who_gets_the_account_s_notices_there_is_told_to_change_that_too(
    client: Client, account: Account
) -> None:
    Account.objects.filter(pk=account.pk).update(receipt_email="layla@muscat.test")
    ask(client)
    html = client.post(link(), follow=True).content.decode()
    assert "still go to layla@muscat.test: change that under Billing." in html


def test_nothing_is_sent_before_the_password_is_said_again(
    account: Account, layla: User, sign_in: SignIn
) -> None:
    answer = sign_in(account, user=layla).post(PAGE, {"email": NEW})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert not Message.objects.exists()


def test_an_address_of_somebody_else_is_answered_the_same_and_gets_no_mail(
    client: Client, layla: User
) -> None:
    User.objects.create_user(NEW)
    assert f"If {NEW.title()} can be used" in ask(client, NEW.title())
    assert not Message.objects.exists()


def test_an_address_taken_meanwhile_changes_nothing(client: Client, layla: User) -> None:
    ask(client)
    address = link()
    User.objects.create_user(NEW)
    assert "This link does not work" in client.post(address, follow=True).content.decode()
    layla.refresh_from_db()
    assert layla.email == "layla@muscat.test"


def test_a_link_is_for_one_user_and_one_day(client: Client, account: Account, layla: User) -> None:
    ask(client)
    token = link().split("/")[-2]
    omar = scenes.make_member(account, email="omar@muscat.test")
    now = timezone.now()
    for user, at, given in (
        (omar, now, token),
        (layla, now + email_changes.LASTS, token),
        (layla, now, token[:-1]),
        (layla, now, "nonsense"),
    ):
        with pytest.raises(email_changes.LinkIsOver):
            email_changes.confirm(token=given, user=user, now=at)


@pytest.mark.parametrize(
    ("email", "problem"),
    [
        ("layla", "Enter an e-mail address"),
        ("LAYLA@muscat.test", "This is your address already."),
        ("", "This field is required."),
    ],
)
def test_what_is_no_new_address_is_explained(client: Client, email: str, problem: str) -> None:
    answer = client.post(PAGE, {"email": email})
    assert answer.status_code == 422
    assert problem in answer.content.decode()


def test_nobody_is_written_to_all_day(account: Account, layla: User) -> None:
    now = timezone.now()
    for n in range(email_changes.MAXIMUM_A_DAY):
        at = now + timedelta(minutes=n)
        email_changes.ask(user=layla, account=account, email=f"{n}@salalah.test", now=at)
    with pytest.raises(ValidationError, match="too often"):
        email_changes.ask(user=layla, account=account, email=NEW, now=now + timedelta(hours=1))
    tomorrow = now + timedelta(days=1, minutes=1)
    email_changes.ask(user=layla, account=account, email=NEW, now=tomorrow)
