"""The commands an operator runs by hand."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from djstripe.models import WebhookEndpoint
from pytest_django import Settings

from conftest import Sandbox, free_port
from plans.models import Plan

pytestmark = pytest.mark.django_db


def run(command: str) -> str:
    """Run a command and return what it printed."""
    output = StringIO()
    call_command(command, stdout=output)
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
    assert first == second
    assert endpoint.url.startswith("http://billing.example.test/stripe/webhook/")
    assert endpoint.secret.startswith("whsec_")


def test_register_webhooks_says_when_stripe_does_not_answer(
    sandbox: Sandbox, settings: Settings
) -> None:
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(CommandError, match="Stripe did not take the endpoint"):
        run("register_webhooks")


def test_renew_says_what_it_did() -> None:
    assert run("renew").startswith("0 periods opened, 0 paid, 0 failed")
