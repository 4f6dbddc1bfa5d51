"""What tests of accounts share: a platform that listens, an endpoint that Stripe was told of."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from djstripe.models import WebhookEndpoint
from pytest_django import Settings

from accounts import cards
from accounts.tests.factories import make_account
from accounts.tests.platform_side import SECRET, Platform
from invoices.tests.stripe_events import events, listen

if TYPE_CHECKING:
    from conftest import Sandbox


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """A platform on this machine: only a laptop's settings let it be reached."""
    platform = Platform()
    settings.DEBUG = True
    settings.PLATFORM_WEBHOOK_URL = f"http://127.0.0.1:{platform.port}/hooks/billing"
    settings.PLATFORM_WEBHOOK_SECRET = SECRET
    yield platform
    platform.close()


@pytest.fixture
def endpoint(sandbox: "Sandbox") -> WebhookEndpoint:
    return listen(sandbox)


@pytest.fixture
def event(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """An event of the sandbox: a customer was made."""
    cards.ensure_customer(account=make_account())
    return events("customer.created")[0]
