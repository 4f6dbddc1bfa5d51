"""Customers to load the portal with, made by the services as the platform and they would."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts import api_keys, cards, webhook_endpoint
from accounts.models import Account, Membership
from conftest import Sandbox
from plans import catalogue, provisioning, subscriptions
from plans.models import Plan
from wallet.tests.factories import switch_on

#: Since when those subscribe whose renewal is due now.
_LONG_AGO = timedelta(days=40)


@dataclass
class Town:
    """Who lives there."""

    sandbox: Sandbox
    token: str = ""
    #: Report usage, top up, and have it refilled.
    callers: list[Account] = field(default_factory=list)
    #: Are billed $99 as soon as somebody looks.
    subscribers: list[Account] = field(default_factory=list)

    def cookies(self) -> list[dict[str, str]]:
        """Sign the owner of each caller in."""
        signed_in = []
        for account in self.callers:
            client = Client()
            owner = Membership.objects.get(account=account, role="owner").user
            client.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
            name = settings.SESSION_COOKIE_NAME
            signed_in.append({name: client.cookies[name].value})
        return signed_in


def settle(sandbox: Sandbox, *, callers: int, subscribers: int) -> Town:
    """Make so many of each."""
    now = timezone.now()
    catalogue.load(now=now - _LONG_AGO)
    webhook_endpoint.register_endpoint(portal_url=settings.PORTAL_URL)
    town = Town(sandbox)
    _, town.token = api_keys.create(name="platform", now=now)
    for number in range(callers):
        account = _customer(sandbox, f"caller-{number}", now=now)
        switch_on(account, threshold="20", amount="25", now=now)
        town.callers.append(account)
    growth = subscriptions.latest_version(plan=Plan.objects.get(slug="growth"))
    assert growth is not None
    for number in range(subscribers):
        account = _customer(sandbox, f"subscriber-{number}", now=now - _LONG_AGO)
        subscriptions.subscribe(account=account, plan_version=growth, by=None, now=now - _LONG_AGO)
        town.subscribers.append(account)
    return town


def _customer(sandbox: Sandbox, name: str, *, now: datetime) -> Account:
    account = provisioning.provision(
        external_id=name,
        name=name.title(),
        owner_email=f"owner@{name}.test",
        plan_slug="payg",
        now=now,
    )
    setup = cards.begin(account=account)
    sandbox.confirm_setup(setup.id)
    cards.add(account=account, setup_intent_id=setup.id, by=None, now=now)
    return account
