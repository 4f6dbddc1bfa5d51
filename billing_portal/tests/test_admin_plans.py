"""What staff do to an account's plan, with a reason; and moving subscribers to a new version."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, AuditEvent, Card, Message
from billing_portal.tests.test_admin_actions import signed_in, staff, url
from plans import renewals, subscriber_moves, subscriptions, versions
from plans.models import PlanChange
from plans.tests.changing_plans import plan_of
from plans.tests.subscribers import make_subscriber, subscription_of, version_of

pytestmark = pytest.mark.django_db

AddCard = Callable[..., Card]
WHY = "Agreed on the phone"


@pytest.fixture
def bob(add_card: AddCard) -> Account:
    """On starter since ten days ago."""
    return make_subscriber(add_card, "starter", now=timezone.now() - timedelta(days=10))


@pytest.fixture
def support(db: None) -> Client:
    return signed_in(staff("support@staff.test", "view_account", "change_subscription"))


def change(client: Client, account: Account, plan: str) -> None:
    """Look at what a change comes to, then confirm it."""
    wish = {"plan": str(version_of(plan).plan_id), "reason": WHY}
    page = client.post(url("change_plan", account), wish)
    assert page.context["quote"] is not None, page.context["form"].errors
    sealed = page.context["quote"].sealed
    client.post(url("change_plan", account), {**wish, "quote": sealed, "_apply": ""})


def reason_of(account: Account, action: str) -> tuple[str, str]:
    """Return why and by whom it was done."""
    event = AuditEvent.objects.filter(account=account, action=action).latest("pk")
    assert event.actor is not None
    return event.reason, event.actor.email


def test_staff_see_what_an_upgrade_charges_and_then_make_it(bob: Account, support: Client) -> None:
    wish = {"plan": str(version_of("growth").plan_id), "reason": WHY}
    html = support.post(url("change_plan", bob), wish).content.decode()
    assert "Unused: Starter plan" in html
    assert plan_of(bob) == "starter"

    change(support, bob, "growth")

    assert plan_of(bob) == "growth"
    assert reason_of(bob, "plan_changed") == (WHY, "support@staff.test")
    assert PlanChange.objects.get(account=bob).reason == WHY


def test_staff_may_choose_a_plan_that_is_not_public(bob: Account, support: Client) -> None:
    change(support, bob, "enterprise")
    assert plan_of(bob) == "enterprise"


def test_a_downgrade_waits_and_staff_can_take_it_back(bob: Account, support: Client) -> None:
    change(support, bob, "payg")
    assert PlanChange.objects.get(account=bob).status == "scheduled"
    support.post(url("keep_plan", bob), {"reason": WHY})
    assert PlanChange.objects.get(account=bob).status == "canceled"
    assert reason_of(bob, "plan_change_taken_back") == (WHY, "support@staff.test")


def test_staff_cancel_keep_and_reactivate(bob: Account, support: Client) -> None:
    support.post(url("cancel_plan", bob), {"reason": WHY})
    assert subscription_of(bob).cancel_at_period_end
    assert reason_of(bob, "cancellation_scheduled") == (WHY, "support@staff.test")
    support.post(url("keep_plan", bob), {"reason": WHY})
    assert not subscription_of(bob).cancel_at_period_end

    support.post(url("cancel_plan", bob), {"reason": WHY})
    ends = subscription_of(bob).current_period_end
    assert ends is not None
    renewals.renew_due(now=ends)
    assert subscriptions.current(account=bob) is None
    change(support, bob, "payg")
    assert plan_of(bob) == "payg"
    assert reason_of(bob, "plan_chosen") == (WHY, "support@staff.test")


@pytest.mark.parametrize("name", ["cancel_plan", "keep_plan"])
def test_without_a_reason_nothing_is_done(bob: Account, support: Client, name: str) -> None:
    response = support.post(url(name, bob), {"reason": " "})
    assert "Say why" in response.content.decode()
    assert not subscription_of(bob).cancel_at_period_end


def test_what_can_not_be_done_says_so(bob: Account, support: Client) -> None:
    wish = {"plan": str(version_of("starter").plan_id), "reason": WHY}
    page = support.post(url("change_plan", bob), wish).content.decode()
    assert "You are on Starter already." in page
    page = support.post(url("keep_plan", bob), {"reason": WHY}, follow=True).content.decode()
    assert "There is nothing to take back." in page


@pytest.mark.parametrize("name", ["change_plan", "cancel_plan", "keep_plan"])
def test_who_may_only_look_changes_no_plan(bob: Account, name: str) -> None:
    client = signed_in(staff("looker@staff.test", "view_account"))
    assert client.post(url(name, bob), {"reason": WHY}).status_code == 403


def test_staff_move_the_subscribers_of_a_version(bob: Account) -> None:
    client = signed_in(staff("admin@staff.test", "view_planversion", "publish_planversion"))
    version = versions.draft_from(version=version_of("starter"))
    page = reverse("admin:plans_planversion_move_subscribers", args=[version.pk])
    assert "not published yet" in client.post(page, {"reason": WHY}, follow=True).content.decode()
    versions.publish(version=version, by=None, reason=WHY, now=timezone.now())
    assert "1 would move at their next renewal" in client.get(page).content.decode()
    answer = client.post(page, {"reason": WHY}, follow=True).content.decode()
    assert "Moving to Starter v2 at the next renewal: 1 account, not told." in answer
    assert "are being moved to Starter v2 already" in (
        client.post(page, {"reason": WHY}, follow=True).content.decode()
    )
    subscriber_moves.carry_out(now=timezone.now())
    assert PlanChange.objects.get(account=bob).to_version == version
    assert not Message.objects.filter(account=bob, event="plan_change_scheduled").exists()


def test_the_list_of_plan_changes(bob: Account, support: Client) -> None:
    change(support, bob, "growth")
    client = signed_in(staff("viewer@staff.test", "view_planchange"))
    html = client.get(reverse("admin:plans_planchange_changelist")).content.decode()
    assert "Growth v1" in html
