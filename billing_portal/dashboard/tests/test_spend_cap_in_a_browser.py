"""The spend cap in a browser through its states: set, nearly reached, reached, raised."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from accounts.models import Account
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.browser import problems_of, visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

SETTINGS = "/billing/settings/"


@pytest.fixture
def account() -> Account:
    """On the free plan, whose minutes cost $0.15 each."""
    company = scenes.make_company(balance="300")
    scenes.start_plan(company, "payg", at=timezone.now())
    return company


def spend(account: Account, amount: str) -> None:
    minutes = Decimal(amount) / Decimal("0.15")
    scenes.use(account, "call_minutes", f"{minutes:f}", at=timezone.now())


def save_cap(page: Page, amount: str) -> None:
    panel = page.locator("#spend-cap")
    panel.get_by_role("switch").check()
    panel.get_by_label("Usage may cost at most").fill(amount)
    panel.get_by_role("button", name="Save").click()


def test_a_cap_warns_pauses_and_is_raised(
    browser: Browser, account: Account, sign_in: Callable[..., Client]
) -> None:
    with visit(browser, sign_in(account)) as site:
        page = site.open(SETTINGS)
        panel = page.locator("#spend-cap")
        save_cap(page, "10")
        expect(panel).to_contain_text("$0.00 of $10.00")
        assert problems_of(page) == []

        spend(account, "8.25")
        page = site.open("/billing/")
        expect(page.get_by_text("The spend cap is nearly reached.")).to_be_visible()
        assert problems_of(page) == []

        spend(account, "3.00")
        page = site.open("/billing/")
        expect(page.get_by_text("Services paused").first).to_be_visible()
        expect(page.locator(".services-reasons")).to_contain_text("The spend cap is reached")
        assert problems_of(page) == []

        page.locator(".services-reasons").get_by_role("link", name="Raise the cap").click()
        expect(panel).to_contain_text("$11.25 of $10.00")
        assert problems_of(page) == []
        save_cap(page, "20")
        expect(panel).to_contain_text("$11.25 of $20.00")
        page = site.open("/billing/")
        expect(page.get_by_text("Services active")).to_be_visible()
        assert site.complaints == []
    with visit(browser, sign_in(account, role="viewer"), width=390) as site:
        panel = site.open(SETTINGS).locator("#spend-cap")
        expect(panel).to_contain_text("$11.25 of $20.00")
        assert panel.locator("form").count() == 0
