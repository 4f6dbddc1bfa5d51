"""What a person meets who signs in, or forgot how to."""

import re

import pytest
from django.core import mail
from django.test import Client
from pytest_django.asserts import assertRedirects

from accounts.models import User

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
