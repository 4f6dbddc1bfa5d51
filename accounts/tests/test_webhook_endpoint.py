"""Where Stripe sends its events, and which: told once, told again when the list has grown."""

from typing import TYPE_CHECKING, Any

import pytest
from djstripe.models import Event, WebhookEndpoint
from djstripe.signals import WEBHOOK_SIGNALS
from pytest_django import Settings

from accounts import cards, gateway, webhook_endpoint
from accounts.kept_secrets import signing_secret_of
from accounts.tests.factories import make_account
from accounts.webhook_endpoint import Registration, missing_events
from accounts.webhooks import EVENTS
from invoices.tests.stripe_events import events, post

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db
PORTAL = "http://testserver"


@pytest.fixture(autouse=True)
def nobody_posts(sandbox: "Sandbox") -> None:
    sandbox.control("webhooks", {"paused": True})


def register(**options: Any) -> Registration:
    return webhook_endpoint.register_endpoint(portal_url=PORTAL, **options)


def at_stripe() -> list[Any]:
    return gateway.client().v1.webhook_endpoints.list().data


def test_the_portal_registers_one_endpoint_for_its_address() -> None:
    first, again = register(), register()
    assert (first.is_new, again.is_new, again.changed) == (True, False, False)
    assert again.endpoint.pk == first.endpoint.pk
    assert signing_secret_of(again.endpoint).startswith("whsec_")
    [one] = at_stripe()
    assert one.url == f"{PORTAL}/stripe/webhook/{first.endpoint.djstripe_uuid}/"
    assert sorted(one.enabled_events) == sorted(EVENTS)
    assert not first.has_other_version


def test_events_that_stripe_was_not_told_of_are_added_and_others_dropped() -> None:
    """The portal was upgraded: it listens to disputes now, and no longer to balances."""
    endpoint = register().endpoint
    earlier: Any = [*sorted(EVENTS)[1:], "balance.available"]
    gateway.update_webhook_endpoint(endpoint.id, events=earlier)
    updated = register()
    assert (updated.added, updated.removed) == ([sorted(EVENTS)[0]], ["balance.available"])
    assert sorted(at_stripe()[0].enabled_events) == sorted(EVENTS)
    assert signing_secret_of(updated.endpoint) == signing_secret_of(endpoint)
    assert not register().changed


def test_an_endpoint_that_somebody_disabled_is_on_again() -> None:
    endpoint = register().endpoint
    gateway.client().v1.webhook_endpoints.update(endpoint.id, {"disabled": True})
    assert register().was_disabled
    assert at_stripe()[0].status == "enabled"


def test_an_endpoint_that_somebody_deleted_is_made_anew() -> None:
    first = register().endpoint
    gateway.client().v1.webhook_endpoints.delete(first.id)
    second = register()
    assert second.is_new
    assert signing_secret_of(second.endpoint) != signing_secret_of(first)
    assert missing_events(portal_url=PORTAL) == []


def test_replaced_its_secret_is_another_and_events_are_taken_under_that_one_only() -> None:
    first = register().endpoint
    replaced = register(replace=True)
    second = replaced.endpoint
    assert replaced.deleted == [first.url]
    assert [one.id for one in at_stripe()] == [second.id]
    cards.ensure_customer(account=make_account())
    [event] = events("customer.created")
    assert post(second, event, secret=signing_secret_of(first)).status_code == 400
    assert post(second, event).status_code == 200
    assert not register().changed


def test_a_version_that_is_not_ours_is_told_and_replaced(settings: Settings) -> None:
    settings.STRIPE_API_VERSION = "2025-03-31.basil"
    register()
    settings.STRIPE_API_VERSION = "2026-08-26.dahlia"
    gateway.client.cache_clear()
    assert register().has_other_version
    assert not register(replace=True).has_other_version


def test_addresses_of_this_portal_that_it_does_not_know_are_told(sandbox: "Sandbox") -> None:
    """Its database was restored from an old backup, or it is another portal's by mistake."""
    register()
    WebhookEndpoint.objects.all().delete()
    lost = at_stripe()[0].url
    gateway.create_webhook_endpoint(url="https://shop.test/hook", events=EVENTS, metadata={})
    registered = register()
    assert registered.is_new
    assert registered.strangers == [lost]


def test_what_is_missing_is_known_without_asking_stripe(sandbox: "Sandbox") -> None:
    assert missing_events(portal_url=PORTAL) == sorted(EVENTS)
    endpoint = register().endpoint
    assert missing_events(portal_url=PORTAL) == []
    endpoint.enabled_events = endpoint.enabled_events[1:]
    endpoint.save()
    assert missing_events(portal_url=PORTAL) == [sorted(EVENTS)[0]]
    assert missing_events(portal_url="http://elsewhere.test") == sorted(EVENTS)


def test_every_event_that_somebody_receives_is_asked_for() -> None:
    """A receiver of an event that Stripe is not told to send would wait for ever."""
    received = {
        name
        for name, signal in WEBHOOK_SIGNALS.items()
        for receiver in signal._live_receivers(Event)[0]
        if not receiver.__module__.startswith("djstripe.")
    }
    assert "charge.succeeded" in received
    assert received - set(EVENTS) == set()
