"""The client says what the portal says: every call, on real answers."""

from datetime import timedelta
from decimal import Decimal

import pytest
from billing_portal_client import (
    BillingPortal,
    Conflict,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    Throttled,
    calls,
)
from django.core.cache import cache
from pytest_django import Settings

from accounts.models import Account
from client_tests.conftest import QUICK, LivePortal, minutes
from invoices.tests.factories import make_transaction


def test_a_customer_from_the_first_call_to_the_statement(
    live: LivePortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PAGE_SIZE", 2)
    client = live.client
    features = {feature.key: feature for feature in client.catalogue.features()}
    plans = {plan.slug: plan for plan in client.catalogue.plans()}
    assert features["call_minutes"].kind == "consumable"
    assert plans["growth"].monthly_price == Decimal(99)
    tiers = {price.feature: price.tiers for price in plans["growth"].features}["call_minutes"]
    assert [tier.discount_percent for tier in tiers] == [Decimal(10), Decimal(20)]

    made = client.accounts.provision(
        external_id="customer-42", name="Nizwa Clinics", owner_email="owner@nizwa.example"
    )
    assert made.plan == "payg"
    assert made.subscription is not None
    assert made.subscription.current_period_start is not None
    assert made.created_at.utcoffset() == timedelta(0)
    account = "external:customer-42"
    assert client.accounts.get(account) == client.accounts.get(made.id) == made
    changed = client.accounts.change(account, timezone="Asia/Muscat")
    assert (changed.timezone, changed.name) == ("Asia/Muscat", "Nizwa Clinics")
    assert [each.id for each in client.accounts.list(external_id="customer-42")] == [made.id]

    asked = client.authorization.check(account, feature="call_minutes")
    assert (asked.allowed, asked.reasons, asked.limit) == (True, (), None)
    assert client.authorization.check(account, feature="user_seat").limit == 0

    report = client.usage.report(
        [minutes("12.5", id="call-1", workspace="Ruwi"), minutes(id="call-2", feature="teleport")]
    )
    assert (report.recorded, report.duplicates, report.rejected) == (1, 0, 1)
    recorded, rejected = report.results
    assert recorded.amount == Decimal("1.875000")
    assert (rejected.index, rejected.code) == (1, "unknown_feature")
    client.usage.report(minutes(id=f"call-{number}") for number in range(3, 8))

    usage = list(client.usage.list(account))
    assert [each.id for each in usage] == [f"call-{n}" for n in (7, 6, 5, 4, 3, 1)]
    assert [each.id for each in client.usage.list(account, workspace="Ruwi")] == ["call-1"]
    assert usage[-1].balance_after == Decimal("-1.875")
    entries = list(client.entries.list(account, kind="usage"))
    assert [entry.sequence for entry in entries] == [6, 5, 4, 3, 2, 1]
    assert entries[-1].usage_id == "call-1"
    (allowance,) = client.allowances.list(account)
    assert allowance.billed_quantity == Decimal("17.5")

    asked = client.authorization.check(account)
    assert (asked.allowed, asked.services) == (False, "paused")
    assert asked.reasons == ("negative_balance",)


def test_payments_and_rentals(live: LivePortal) -> None:
    account = live.provision()
    make_transaction(Account.objects.get(), status="paid")
    (paid,) = live.client.transactions.list(account, status="paid")
    assert paid.charged_currency == "OMR"
    assert list(live.client.transactions.list(account, status="failed")) == []

    seats = {rental.feature: rental for rental in live.client.rentals.list(account)}["user_seat"]
    assert (seats.quantity, seats.unit_price) == (0, Decimal(12))
    quote = live.client.rentals.quote(account, "user_seat", 2)
    assert (quote.change, quote.monthly_amount) == ("taken", Decimal(24))
    with pytest.raises(InvalidRequest, match="payment method"):
        live.client.rentals.set(account, "user_seat", 2, quote=quote.quote)
    held = live.client.rentals.set(account, "user_seat", 0)
    assert (held.quantity, held.transaction) == (0, None)


def test_what_the_portal_refuses_is_raised_with_its_words(live: LivePortal) -> None:
    account = live.provision()
    with pytest.raises(NotFound) as missing:
        live.client.authorization.check("external:nobody")
    assert (missing.value.status, missing.value.code) == (404, "unknown_account")
    with pytest.raises(InvalidRequest) as invalid:
        live.client.accounts.change(account, timezone="Atlantis")
    assert list(invalid.value.fields) == ["timezone"]
    with pytest.raises(Conflict) as conflict:
        live.client.accounts.provision(
            external_id="customer-42", name="Somebody else", owner_email="x@else.example"
        )
    assert conflict.value.code == "conflict"
    with (
        BillingPortal(live.proxy.url, api_key="bp_0_0", retries=QUICK) as stranger,
        pytest.raises(NotAuthenticated),
    ):
        stranger.accounts.get(account)
    assert len(live.proxy.requests) == 5, "what is refused is not asked for again"


def test_a_limit_is_raised_with_the_time_to_wait(live: LivePortal, settings: Settings) -> None:
    cache.clear()
    settings.API_REQUESTS_PER_MINUTE = {"default": 0, "authorization": 0, "usage": 0}
    with pytest.raises(Throttled) as throttled:
        live.client.accounts.get("external:customer-42")
    assert throttled.value.retry_after is not None
    assert 1 <= throttled.value.retry_after <= 60
