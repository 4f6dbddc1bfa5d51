"""What the Overview says before there is a plan, and once there is none any more."""

import pytest
from django.utils import timezone

from accounts.models import Account
from billing_portal.dashboard.first_steps import FirstSteps
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.test_overview import overview_of, plan_of
from plans import cancellation

pytestmark = pytest.mark.django_db


def first_steps_of(account: Account) -> FirstSteps:
    """What is left to do before calls can be made."""
    found = overview_of(account).first_steps
    assert found is not None
    return found


def test_a_new_account_sees_its_first_steps_until_it_can_make_calls() -> None:
    account = scenes.make_company()

    first = first_steps_of(account)
    assert [(step.title, step.is_done, step.is_next) for step in first.steps] == [
        ("Choose a plan", False, True),
        ("Add a payment method", False, False),
        ("Add credit", False, False),
    ]
    assert first.progress == "0 of 3 done"
    assert overview_of(account).banners == ()
    assert overview_of(account, may_act=False).first_steps is None

    scenes.start_plan(account, "payg", at=timezone.now())
    first = first_steps_of(account)
    assert [(step.is_done, step.is_next) for step in first.steps[:2]] == [
        (True, False),
        (False, True),
    ]
    scenes.top_up(account, "20", at=timezone.now())
    assert overview_of(account).first_steps is None


def test_an_account_without_a_plan_is_told_so_once() -> None:
    account = scenes.make_company()

    # The first step says it; there is no usage to show, and no plan to describe.
    owner, viewer = overview_of(account), overview_of(account, may_act=False)
    assert (owner.has_usage, owner.plan, owner.balance.services) == (False, None, "")
    assert not viewer.has_usage
    assert plan_of(viewer).title == "No plan yet"

    # Included minutes are there before any credit is.
    scenes.start_plan(account, "growth", at=timezone.now())
    owner = overview_of(account)
    assert owner.first_steps is not None
    assert owner.has_usage
    assert owner.meters


def test_a_plan_that_ended_is_not_one_that_is_yet_to_come() -> None:
    account, now = scenes.make_company(), timezone.now()
    scenes.start_plan(account, "payg", at=now)
    cancellation.end(account.subscriptions.get(), at=now, by=None, now=now)

    panel = plan_of(overview_of(account))
    assert (panel.title, panel.badge) == ("Pay as you go plan", "Ended")
