"""Pages in Arabic as a reader sees them: from right to left, and every word of them Arabic.

What axe finds, what scrolls sideways and what they weigh is looked at in test_every_page.py.
"""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page

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


def latin_words(page: Page) -> set[str]:
    """The words in Latin letters that a reader sees, but for addresses and what can be chosen."""
    page.evaluate("for (const each of document.querySelectorAll('select')) each.hidden = true")
    seen = _ADDRESSES.sub(" ", page.inner_text("body"))
    return set(re.findall(r"[A-Za-z]{3,}", seen))
