"""What a person meets who signs in, or forgot how to."""

import re
import smtplib
from collections.abc import Sequence

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client
from pytest_django import Settings
from pytest_django.asserts import assertRedirects

from accounts.models import User
from conftest import free_port

pytestmark = pytest.mark.django_db

PASSWORD = "a camel crosses the wadi"


def test_a_forgotten_password_is_replaced(client: Client) -> None:
    User.objects.create_user("layla@muscat.test", "an older one, forgotten")
    client.post("/accounts/password/reset/", {"email": "layla@muscat.test"})
    message = mail.outbox[0]
    assert message.subject == "Choose a new password"
    link = re.search(r"https?://[^/]+(/\S+)", str(message.body))
    assert link

    form = client.get(link[1], follow=True)
    path = form.redirect_chain[-1][0]
    done = client.post(path, {"password1": PASSWORD, "password2": PASSWORD}, follow=True)

    assert done.content.decode().count("hanged") == len(["the title", "the heading"])
    signed_in = client.post(
        "/accounts/login/", {"login": "layla@muscat.test", "password": PASSWORD}
    )
    assertRedirects(signed_in, "/billing/", fetch_redirect_response=False)


class RefusesRecipients(BaseEmailBackend):
    """A mail server that knows none of those it is to deliver to."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Refuse."""
        raise smtplib.SMTPRecipientsRefused(dict.fromkeys("ab", (550, b"No such user")))


@pytest.mark.parametrize("email", ["layla@muscat.test", "nobody@muscat.test"])
def test_a_link_that_can_not_be_mailed_is_asked_for_again_in_a_moment(
    email: str, settings: Settings
) -> None:
    """The same for everybody: it does not say who is a customer."""
    User.objects.create_user("layla@muscat.test", "an older one, forgotten")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    cache.clear()
    client = Client(raise_request_exception=False)

    away = client.post("/accounts/password/reset/", {"email": email})
    settings.EMAIL_BACKEND = f"{__name__}.RefusesRecipients"
    refused = client.post("/accounts/password/reset/", {"email": email})

    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    assert "Wait a few seconds, then try again." in away.content.decode()
    assertRedirects(refused, "/accounts/password/reset/done/", fetch_redirect_response=False)
