"""The commands an operator runs by hand."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from djstripe.models import WebhookEndpoint
from pytest_django import Settings

from accounts import gateway
from conftest import Sandbox, free_port
from plans.models import Plan

pytestmark = pytest.mark.django_db


def run(command: str, *options: str) -> str:
    """Run a command and return what it printed."""
    output = StringIO()
    call_command(command, *options, stdout=output)
    return output.getvalue()


def test_load_catalogue_creates_the_plans_once() -> None:
    run("load_catalogue")
    run("load_catalogue")

    slugs = Plan.objects.values_list("slug", flat=True)
    assert list(slugs) == ["payg", "starter", "growth", "enterprise"]


def test_register_webhooks_makes_one_endpoint_for_an_address(
    sandbox: Sandbox, settings: Settings
) -> None:
    settings.PORTAL_URL = "http://billing.example.test"

    first, second = run("register_webhooks"), run("register_webhooks")

    endpoint = WebhookEndpoint.objects.get()
    assert f"events to {endpoint.url}" in first
    assert "made just now" in first
    assert "+ charge.succeeded" in first
    assert second.splitlines()[0] == first.splitlines()[0]
    assert second.splitlines()[1:] == ["  as before: nothing to change"]
    assert endpoint.url.startswith("http://billing.example.test/stripe/webhook/")


def test_register_webhooks_says_what_it_changed(sandbox: Sandbox, settings: Settings) -> None:
    settings.PORTAL_URL = "http://billing.example.test"
    run("register_webhooks")
    endpoint = WebhookEndpoint.objects.get()
    gateway.update_webhook_endpoint(endpoint.id, events=["charge.succeeded", "balance.available"])
    gateway.client().v1.webhook_endpoints.update(endpoint.id, {"disabled": True})

    told = run("register_webhooks")

    assert "it was disabled, and is on again" in told
    assert "+ payment_intent.succeeded" in told
    assert "+ charge.succeeded" not in told
    assert "- balance.available" in told


def test_register_webhooks_replaces_an_endpoint_whose_version_is_another(
    sandbox: Sandbox, settings: Settings
) -> None:
    settings.PORTAL_URL = "http://billing.example.test"
    settings.STRIPE_API_VERSION = "2025-03-31.basil"
    run("register_webhooks")
    settings.STRIPE_API_VERSION = "2026-08-26.dahlia"

    assert "run it again with --replace" in run("register_webhooks")
    before = WebhookEndpoint.objects.get()
    replaced = run("register_webhooks", "--replace")
    assert "made just now" in replaced
    assert f"in place of {before.url}, which is deleted" in replaced
    assert "as before" in run("register_webhooks")


def test_register_webhooks_says_when_stripe_does_not_answer(
    sandbox: Sandbox, settings: Settings
) -> None:
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(CommandError, match="Stripe did not take the endpoint"):
        run("register_webhooks")


def test_renew_says_what_it_did() -> None:
    assert run("renew").startswith("0 periods opened, 0 paid, 0 failed")
