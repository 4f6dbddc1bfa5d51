"""Settings in a browser: the main task of each page, and how they look with much in them."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, expect

from accounts import api_keys, billing_details, receipt_copies
from accounts.models import Account, User
from accounts.roles import Role
from accounts.tests.people import invite, sent_token
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.browser import look_at, visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

LONG = "مؤسسة مسقط وصلالة العالمية للشحن والتخزين والتخليص الجمركي ش.م.م"


@pytest.fixture
def company() -> Account:
    """With members, invitations, keys and changes, some of them with long names."""
    now = timezone.now()
    account = scenes.make_company(name=LONG, balance="30")
    owner = scenes.make_member(account, email="layla@muscat.test", first_name="Layla Al Said")
    scenes.make_member(account, Role.BILLING, email="omar@muscat.test", first_name=LONG)
    scenes.make_member(account, Role.VIEWER, email=f"{'accounting.' * 5}office@muscat.test")
    for email, sent in (("new@muscat.test", now), ("late@muscat.test", now - timedelta(days=9))):
        invite(account, email, by=owner, now=sent)
    week = now + timedelta(days=7)
    api_keys.create_for_account(account=account, name=LONG, expires_at=week, by=owner, now=now)
    api_keys.create_for_account(account=account, name="Never used", by=owner, now=now)
    details = {"billing_name": LONG, "city": "Muscat", "country": "OM"}
    billing_details.change(account=account, details=details, by=owner, now=now)
    receipt_copies.change(
        account=account, addresses=["books@muscat.test", "a@muscat.test"], by=owner, now=now
    )
    return account


def layla(account: Account) -> User:
    return User.objects.get(email="layla@muscat.test", memberships__account=account)


def test_settings_with_much_in_them(
    browser: Browser, sign_in: Callable[..., Client], company: Account
) -> None:
    pages = {
        "settings-members": "/billing/settings/members/",
        "settings-activity": "/billing/settings/activity/",
    }
    look_at(browser, sign_in(company, user=layla(company)), pages)
    look_at(browser, Client(), {"invitation": f"/invitations/{sent_token()}/"})


def test_an_owner_invites_makes_a_key_and_takes_it_back(
    browser: Browser, sign_in: Callable[..., Client], company: Account
) -> None:
    with visit(browser, sign_in(company, user=layla(company)), width=390) as site:
        page = site.open("/billing/settings/members/")
        page.get_by_label("E-mail", exact=True).fill("clerk@muscat.test")
        page.get_by_role("button", name="Send the invitation").click()
        expect(page.get_by_text("clerk@muscat.test gets an e-mail")).to_be_visible()
        page.get_by_label("Change omar@muscat.test").click()
        page.get_by_role("button", name="Remove this member").and_(page.locator(":visible")).click()
        expect(page.get_by_role("status").filter(has_text="was removed")).to_be_visible()

        page.get_by_role("link", name="API keys").click()
        page.get_by_label("Name").fill("Spreadsheet")
        page.get_by_role("button", name="Make the key").click()
        made = page.get_by_role("region", name="The key Spreadsheet")
        expect(made).to_be_focused()
        expect(made.get_by_text(re.compile(r"^bp_[0-9a-f]{10}_[0-9a-f]{40}$"))).to_be_visible()
        page.get_by_label("Revoke Spreadsheet").click()
        page.get_by_role("button", name="Revoke this key").and_(page.locator(":visible")).click()
        expect(page.get_by_text("Spreadsheet is revoked")).to_be_visible()

        page.get_by_role("link", name="Activity").click()
        page.get_by_label("About").select_option("keys")
        expect(page).to_have_url(re.compile("kind=keys"))
        expect(page.get_by_text("Revoked the API key Spreadsheet")).to_be_visible()
        expect(page.get_by_text("Removed omar@muscat.test")).to_have_count(0)
    assert not site.complaints
