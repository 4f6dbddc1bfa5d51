"""A portal that answers over HTTP, and what lies between it and its clients."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from billing_portal_client import BillingPortal, Retries, UsageRecord
from django.core.cache import cache
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from accounts import api_keys
from accounts.models import ApiKey
from client_tests.fault_proxy import FaultProxy
from plans import catalogue, models
from wallet.models import Wallet

QUICK = Retries(attempts=4, first_seconds=0.01, longest_seconds=0.05)


@dataclass
class LivePortal:
    """The running portal, as a platform and as its operator see it."""

    url: str
    key: ApiKey
    token: str
    proxy: FaultProxy
    client: BillingPortal

    def provision(self, external_id: str = "customer-42", **fields: Any) -> str:
        """Make an account; return how the API calls it."""
        self.client.accounts.provision(
            external_id=external_id,
            name="Nizwa Clinics",
            owner_email="owner@nizwa.example",
            **fields,
        )
        return f"external:{external_id}"

    def ledger(self) -> dict[str, Decimal]:
        """Return what was recorded: quantity by id. The database keeps an id once."""
        return dict(models.UsageRecord.objects.values_list("record_id", "quantity"))

    def balance(self) -> Decimal:
        """Return the only wallet's balance."""
        return Wallet.objects.get().balance


@pytest.fixture
def live(transactional_db: None, live_server: LiveServer) -> Iterator[LivePortal]:
    """A portal with its catalogue and a key, and a client that reaches it through the proxy."""
    cache.clear()
    catalogue.load(now=timezone.now())
    key, token = api_keys.create(name="platform", now=timezone.now())
    with (
        FaultProxy(live_server.url) as proxy,
        BillingPortal(proxy.url, api_key=token, retries=QUICK, timeout=10) as client,
    ):
        yield LivePortal(live_server.url, key, token, proxy, client)


def minutes(quantity: str = "1", **fields: Any) -> UsageRecord:
    """A call of some minutes that has just ended."""
    content = {"account": "external:customer-42", "feature": "call_minutes", "quantity": quantity}
    return UsageRecord(**{**content, "occurred_at": datetime.now(tz=UTC), **fields})
