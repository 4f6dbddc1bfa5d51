"""What every test of the dashboard has."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from playwright.sync_api import Browser

from accounts.models import Account, User
from billing_portal.dashboard.tests.scenes import make_company, make_member
from tests import chromium

SignIn = Callable[..., Client]


@pytest.fixture
def account() -> Account:
    """A company with nothing yet."""
    return make_company()


@pytest.fixture
def sign_in() -> SignIn:
    """Sign a member in: `sign_in(account, role="viewer")`."""

    def signed_in(account: Account, role: str = "owner", user: User | None = None) -> Client:
        client = Client()
        client.force_login(
            user or make_member(account, role),
            backend="django.contrib.auth.backends.ModelBackend",
        )
        return client

    return signed_in


@pytest.fixture(scope="package")
def browser(chromium_path: str) -> Iterator[Browser]:
    """One Chromium for all of them."""
    with chromium.running(chromium_path) as browser:
        yield browser
