"""Usage history in a browser: filter, open "Why was I charged?", go on to the entry and back."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from playwright.sync_api import Browser, expect

from accounts.models import Account
from accounts.tests.factories import NOW
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.browser import picture, problems_of, visit
from plans import usage
from plans.tests.factories import make_record, make_subscription, make_version

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture
def account() -> Account:
    """Three calls of two minutes, of which one is included, and a detection."""
    company = scenes.make_company(balance="5")
    version = make_version(included="1", features={"voicemail_detection": ("0", "0.02")})
    make_subscription(company, version, anchor=NOW)
    records = [
        make_record(company, 2, id=f"call-{n}", occurred_at=NOW - timedelta(minutes=n))
        for n in range(3)
    ]
    records.append(make_record(company, 1, id="voice-1", feature="voicemail_detection"))
    usage.record(records=records, now=NOW)
    return company


@pytest.mark.parametrize(
    ("role", "language", "width"), [("owner", "en", 1440), ("viewer", "ar", 390)]
)
def test_a_line_is_found_and_explains_itself_in_place(
    browser: Browser,
    account: Account,
    sign_in: Callable[..., Client],
    role: str,
    language: str,
    width: int,
) -> None:
    member = scenes.make_member(account, role, language=language)
    with visit(browser, sign_in(account, user=member), width=width) as site:
        page = site.open("/billing/usage/history/")
        questions = page.locator(".explain > summary")
        expect(questions).to_have_count(4)

        page.locator("[name=feature]").focus()
        page.locator("[name=feature]").select_option("call_minutes")
        expect(questions).to_have_count(3)
        expect(page.locator("[name=feature]")).to_be_focused()
        assert page.url.endswith("/billing/usage/history/?feature=call_minutes")

        first = questions.first
        first.focus()
        page.keyboard.press("Enter")
        reckoning = page.locator(".reckoning")
        expect(reckoning).to_contain_text("$0.10")
        expect(first).to_be_focused()
        assert page.url.endswith("?feature=call_minutes")
        assert problems_of(page) == []
        picture(page, f"why {width} {language}")

        page.locator(".explanation a").click()
        rows = page.locator("#credit-list tbody tr")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("−$0.10")
        assert page.url.endswith("/billing/credit/?record=call-0")
        rows.get_by_role("link").click()
        expect(questions).to_have_count(1)
        assert site.complaints == []
