"""Accounts on the plans of the catalogue, made the way the platform and the customer make them."""

from collections.abc import Callable
from datetime import datetime
from itertools import count

from accounts.models import Account, Card
from accounts.tests.factories import NOW
from invoices.models import Status
from plans import catalogue, provisioning, subscriptions
from plans.models import Feature, Plan, PlanVersion, Subscription

_numbers = count(1)


def version_of(slug: str) -> PlanVersion:
    """Return the version of a catalogue plan that is on sale."""
    version = subscriptions.latest_version(plan=Plan.objects.get(slug=slug))
    assert version is not None
    return version


def feature(key: str) -> Feature:
    return Feature.objects.get(key=key)


def provision(*, plan: str = "payg", now: datetime = NOW) -> Account:
    """Have the platform provision an account."""
    catalogue.load(now=now)
    number = next(_numbers)
    return provisioning.provision(
        external_id=f"customer-{number}",
        name=f"Alice Trading {number}",
        owner_email=f"alice{number}@trading.test",
        plan_slug=plan,
        now=now,
    )


def make_subscriber(
    add_card: Callable[..., Card], plan: str = "growth", *, now: datetime = NOW
) -> Account:
    """Make an account with a card that is on `plan`, paid for."""
    account = provision(now=now)
    add_card(account, now=now)
    if plan != "payg":
        paid = subscriptions.subscribe(
            account=account, plan_version=version_of(plan), by=None, now=now
        )
        assert paid is not None
        assert paid.status == Status.PAID
    return account


def subscription_of(account: Account) -> Subscription:
    """Return the subscription in force."""
    current = subscriptions.current(account=account)
    assert current is not None
    return current
