"""A customer upgrades, downgrades, cancels and takes both back, in a real browser."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, expect

from accounts.models import Account, Card
from billing_portal.dashboard.tests.browser import Site, look_at, picture, problems_of, visit
from plans.models import PlanChange
from plans.tests.changing_plans import hold, plan_of
from plans.tests.subscribers import make_subscriber, subscription_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

SignIn = Callable[..., Client]


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    """On starter since ten days ago, with five numbers."""
    account = make_subscriber(add_card, "starter", now=timezone.now() - timedelta(days=10))
    hold(account, "phone_number", 5, timezone.now() - timedelta(days=9))
    return account


def click(site: Site, name: str) -> None:
    """Press a button or follow a link, and expect a page without complaints."""
    page = site.page
    control = page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name))
    control.first.click()
    page.wait_for_load_state()


def test_upgrading_downgrading_canceling_and_taking_it_back(
    browser: Browser, alice: Account, sign_in: SignIn
) -> None:
    with visit(browser, sign_in(alice)) as site:
        page = site.open("/billing/plan/")
        click(site, "Upgrade to Growth")
        expect(page.get_by_role("heading", name="Upgrade to Growth")).to_be_visible()
        expect(page.get_by_text("Unused: Starter plan")).to_be_visible()
        assert problems_of(page) == []
        picture(page, "upgrade")
        page.get_by_role("button", name="Upgrade and pay $").click()
        expect(page.get_by_text("You are on Growth now.")).to_be_visible()
        assert plan_of(alice) == "growth"

        site.open("/billing/plan/")
        click(site, "Downgrade to Starter")
        expect(page.get_by_text("Nothing is charged now")).to_be_visible()
        picture(page, "downgrade")
        page.get_by_role("button", name="Change on ").click()
        expect(page.get_by_text("Your plan changes to Starter on")).to_be_visible()
        assert problems_of(page) == []
        picture(page, "downgrade-waits")
        page.get_by_role("button", name="Keep Growth").click()
        expect(page.get_by_text("You keep Growth.")).to_be_visible()
        assert PlanChange.objects.filter(account=alice, status="canceled").exists()

        click(site, "Cancel the plan")
        expect(page.get_by_role("heading", name="What ends")).to_be_visible()
        page.get_by_role("button", name="Cancel on ").click()
        expect(page.get_by_text("Canceled: Growth ends on")).to_be_visible()
        assert subscription_of(alice).cancel_at_period_end
        site.open("/billing/")
        assert problems_of(page) == []
        picture(page, "overview-canceled")
        page.get_by_role("button", name="Keep Growth").click()
        expect(page.get_by_text("You keep Growth.")).to_be_visible()
        assert not subscription_of(alice).cancel_at_period_end
        assert site.complaints == []


def test_every_page_of_a_plan_change_looks_right(
    browser: Browser, alice: Account, sign_in: SignIn
) -> None:
    look_at(
        browser,
        sign_in(alice),
        {
            "plans": "/billing/plan/",
            "plan-upgrade": "/billing/plan/growth/",
            "plan-downgrade": "/billing/plan/payg/",
            "plan-cancel": "/billing/cancel-plan/",
        },
    )
