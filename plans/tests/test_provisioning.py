"""Accounts made by the platform, once however often it asks."""

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Account, Membership, User
from accounts.tests.factories import NOW
from plans import catalogue, provisioning, subscriptions
from plans.models import Subscription, SubscriptionStatus
from plans.provisioning import ProvisionConflict
from wallet.models import AutoRefill, Wallet

pytestmark = pytest.mark.django_db

CONTENT = {
    "external_id": "customer-1",
    "name": "Nizwa Clinics",
    "owner_email": "Owner@nizwa.test",
    "timezone": "Asia/Muscat",
}


@pytest.fixture(autouse=True)
def _catalogue() -> None:
    catalogue.load(now=NOW)


def provision(**changes: str) -> Account:
    """Provision the example's account."""
    return provisioning.provision(**{**CONTENT, **changes}, now=NOW)


def test_an_account_comes_with_all_it_needs() -> None:
    account = provision()
    assert (account.name, str(account.timezone)) == ("Nizwa Clinics", "Asia/Muscat")
    assert Wallet.objects.get(account=account).balance == 0
    refill = AutoRefill.objects.get(wallet__account=account)
    assert (refill.enabled, refill.amount.amount) == (False, 25)
    membership = Membership.objects.get(account=account)
    assert (membership.user.email, membership.role) == ("Owner@nizwa.test", "owner")
    assert not membership.user.has_usable_password()
    subscription = subscriptions.current(account=account)
    assert subscription is not None
    assert subscription.plan_version.plan.slug == "payg"


def test_asking_again_gives_the_same_account() -> None:
    assert provision() == provision()
    assert Account.objects.count() == User.objects.count() == Subscription.objects.count() == 1


def test_asking_again_gives_the_same_account_even_when_it_was_changed_since() -> None:
    account = provision()
    provisioning.update(account=account, changes={"name": "Renamed"}, now=NOW)
    assert provision() == account
    assert Account.objects.get().name == "Renamed"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"},
        {"owner_email": "other@nizwa.test"},
        {"timezone": "UTC"},
        {"plan_slug": "starter"},
    ],
)
def test_the_same_external_id_with_other_content_is_a_conflict(change: dict[str, str]) -> None:
    provision()
    with pytest.raises(ProvisionConflict):
        provision(**change)


def test_a_paid_plan_waits_for_its_first_payment() -> None:
    account = provision(plan_slug="enterprise")
    subscription = Subscription.objects.get(account=account)
    assert subscription.status == SubscriptionStatus.INACTIVE
    assert subscription.anchor is None
    assert AutoRefill.objects.get(wallet__account=account).amount.amount == 100


def test_a_known_user_becomes_the_owner_and_keeps_the_password() -> None:
    user = User.objects.create_user("owner@NIZWA.test", "a-long-password")
    account = provision()
    assert Membership.objects.get(account=account).user == user
    user.refresh_from_db()
    assert user.check_password("a-long-password")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"external_id": ""}, "external_id"),
        ({"external_id": "a/b"}, "external_id"),
        ({"external_id": "a\0b"}, "external_id"),
        ({"external_id": "x" * 201}, "external_id"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"owner_email": "nobody"}, "owner_email"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"plan_slug": "nonsense"}, "plan"),
        ({"plan_slug": "a\0"}, "plan"),
    ],
)
def test_what_can_not_be_stored_is_refused_by_field(change: dict[str, str], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        provision(**change)
    assert set(caught.value.message_dict) == {field}
    assert not Account.objects.exists()
