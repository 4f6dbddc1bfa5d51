"""Pages in Arabic as a reader sees them: from right to left, and every word of them Arabic.

What axe finds, what scrolls sideways and what they weigh is looked at in test_every_page.py.
"""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from accounts.roles import Role
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.browser import visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

PAGES = {
    "overview": "",
    "history": "history/",
    "payment": "history/{paid}/",
    "plan": "plan/",
    "top-up": "top-up/?amount=50.00",
    "settings": "settings/",
    "usage": "usage/",
    "why": "usage/history/",
}
#: Names, and what is written alike in every language.
SAME_EVERYWHERE = {"USD", "OMR", "PDF", "CSV", "API", "Visa", "Mastercard", "Stripe", "Badal"}
_ADDRESSES = re.compile(r"\S+@\S+|\b\w+-[\w-]*\d[\w-]*|\b[A-Z]+-[\w-]+|\w+/\w+")


def test_pages_in_arabic(browser: Browser, sign_in: Callable[..., Client]) -> None:
    account = scenes.busy_company()
    user = scenes.make_member(account)
    user.language = "ar"
    user.save()
    paid = account.transactions.filter(status="paid").latest("created_at")
    failure = account.transactions.get(status="failed").failure_message
    written = f"{account.name} {failure} {paid.lines.get()}"
    names = SAME_EVERYWHERE | set(re.findall(r"\w+", written))
    wrong: list[str] = []
    with visit(browser, sign_in(account, user=user), width=390) as site:
        for name, path in PAGES.items():
            page = site.open(f"/billing/{path.format(paid=paid.number)}")
            wrong += [f"{name}: not in Arabic: {word}" for word in latin_words(page) - names]
            if page.evaluate("document.dir") != "rtl":
                wrong.append(f"{name}: does not run from right to left")
        wrong += site.complaints

    assert not wrong, "\n".join(wrong)


def test_a_billing_member_does_what_there_is_to_do_on_a_phone(
    browser: Browser, sign_in: Callable[..., Client]
) -> None:
    account = scenes.busy_company()
    member = scenes.make_member(account, Role.BILLING, language="ar")
    with visit(browser, sign_in(account, user=member), width=390) as site:
        page = site.open("/billing/top-up/?amount=50.00")
        page.locator("[name=own_amount]").press_sequentially("77.50")
        expect(page.locator("#top-up-summary button")).to_contain_text("$77.50")

        page = site.open("/billing/history/")
        page.locator("[name=status]").select_option("failed")
        expect(page.locator("#history-list tbody tr")).to_have_count(1)

        page = site.open("/billing/credit/")
        page.locator("[name=kind]").select_option("top_up")
        expect(page.locator("#credit-list tbody tr")).to_have_count(1)

        page = site.open("/billing/payment-methods/")
        page.locator("form[action$='/default/'] button").click()
        expect(page.get_by_role("status").filter(has_text="Mastercard")).to_be_visible()

        page = site.open("/billing/plan/rentals/phone_number/")
        page.locator("[name=quantity]").fill("6")
        expect(page.locator("#rental-summary .is-total")).to_be_visible()

        page = site.open("/billing/plan/")
        page.locator("a[href='/billing/plan/starter/']").click()
        page.locator("form[action='/billing/plan/starter/'] button").click()
        page.locator("form[action='/billing/keep-plan/'] button").first.click()
        expect(page.locator("form[action='/billing/keep-plan/']")).to_have_count(0)

        page = site.open("/billing/settings/")
        page.locator("[name=told]").check()
        page.locator("[name=limit]").fill("15")
        page.locator("form[action$='/low-balance/'] button").click()
        expect(page.locator("[name=limit]")).to_have_value("15.00")
        assert site.open("/billing/settings/members/").locator("[name=email]").count() == 0
        assert site.complaints == []


def latin_words(page: Page) -> set[str]:
    """The words in Latin letters that a reader sees, but for addresses and what can be chosen."""
    page.evaluate("for (const each of document.querySelectorAll('select')) each.hidden = true")
    seen = _ADDRESSES.sub(" ", page.inner_text("body"))
    return set(re.findall(r"[A-Za-z]{3,}", seen))
