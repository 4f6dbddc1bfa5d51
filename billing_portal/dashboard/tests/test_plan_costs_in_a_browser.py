"""What the plans would have cost, on a phone: more periods, then the details of one plan."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, expect

from accounts.models import Account, Card
from billing_portal.dashboard.tests.browser import look_at, picture, problems_of, visit
from plans.renewals import renew_due
from plans.tests.changing_plans import hold, use
from plans.tests.subscribers import make_subscriber

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    """On growth for 70 days, with numbers, more slots than other plans allow, and usage."""
    begun = timezone.now() - timedelta(days=70)
    alice = make_subscriber(add_card, "growth", now=begun)
    hold(alice, "phone_number", 5, begun)
    hold(alice, "call_concurrency", 15, begun)
    use(alice, 640, begun + timedelta(hours=1))
    renew_due(now=begun + timedelta(days=32))
    use(alice, 4200, begun + timedelta(days=33))
    renew_due(now=timezone.now())
    return alice


def test_pricing_the_plans_on_more_periods(
    browser: Browser, alice: Account, sign_in: Callable[..., Client]
) -> None:
    client = sign_in(alice)
    with visit(browser, client, width=390) as site:
        page = site.open("/billing/plan/")
        expect(
            page.get_by_role("heading", name="What would the last period have cost?")
        ).to_be_visible()
        page.get_by_role("link", name="3 periods").click()
        expect(page.get_by_text("You have had only 2 whole periods so far.")).to_be_visible()
        assert page.url.endswith("/billing/plan/?periods=3")
        expect(page.get_by_role("link", name="3 periods")).to_be_focused()
        page.get_by_text("By feature: Starter").click()
        expect(page.get_by_text("4,840 minutes used, 4,640 minutes beyond").first).to_be_visible()
        assert problems_of(page) == []
        picture(page, "plan-costs-open 390 light")
        assert site.complaints == []
    look_at(browser, client, {"plan-costs": "/billing/plan/?periods=3"})
