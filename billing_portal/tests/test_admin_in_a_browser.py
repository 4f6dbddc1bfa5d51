"""What a person on the phone does in the admin, in a real browser: few clicks, and accessible."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect, sync_playwright

from accounts.models import User
from accounts.tests.factories import make_account, make_card
from billing_portal.dashboard.tests.browser import (
    launch,
    picture,
    problems_of,
    visit,
)
from billing_portal.tests.admin_company import make_company
from plans.models import UsageRecord

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread; the ORM would refuse to work beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = launch(playwright)
        yield browser
        browser.close()


def wrong_in_light_and_dark(page: Page, name: str, within: str) -> list[str]:
    """What axe finds of our part of a page; unfold's own frame and forms around it are not ours."""
    found = []
    for scheme, options in (("light", None), ("dark", {"runOnly": ["color-contrast"]})):
        page.evaluate(
            "(dark) => document.documentElement.classList.toggle('dark', dark)", scheme == "dark"
        )
        picture(page, f"{name} {scheme}")
        problems = problems_of(page, options, within=within)
        found += [f"{name} {scheme}: {problem}" for problem in problems]
    return found


def test_a_customer_is_found_by_their_card_and_a_deduction_explained(browser: Browser) -> None:
    make_company()
    make_card(make_account(name="Sohar Dental"), last4="1881")
    record = UsageRecord.objects.get(billed_quantity__gt=0)
    office = Client()
    office.force_login(User.objects.get(email="admin@staff.test"))
    with visit(browser, office) as site:
        page = site.open(reverse("admin:accounts_account_changelist"))
        page.keyboard.press("Control+k")
        page.locator("#search-input-command").press_sequentially("4242")
        page.locator("#command-results").get_by_role("link", name="Muscat").click()
        expect(page.get_by_role("heading", name="What happened")).to_be_visible()
        wrong = wrong_in_light_and_dark(page, "account", "#content section")

        page.get_by_role("checkbox", name="Usage").check()
        page.get_by_role("button", name="Filter").click()
        page.get_by_role("link", name="Call minutes: 7.5 minutes").click()
        page.get_by_role("link", name=record.record_id).click()
        expect(page.get_by_text("Of 4.5 minutes, your plan included 2 minutes")).to_be_visible()
        wrong += problems_of(page, within="#content fieldset")
        wrong += site.complaints
    assert not wrong, "\n".join(wrong)
