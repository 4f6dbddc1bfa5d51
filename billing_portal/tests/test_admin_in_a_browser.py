"""What a person on the phone does in the admin, in a real browser: few clicks, and accessible."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from accounts.models import Card, User
from accounts.staff_roles import StaffRole
from accounts.tests.factories import make_account, make_card, make_staff
from billing_portal.dashboard.tests.browser import (
    picture,
    problems_of,
    visit,
)
from billing_portal.tests.admin_company import make_company
from invoices.models import Refund, RefundStatus
from invoices.tests.test_charging import charge
from plans.models import UsageRecord
from tests import chromium
from wallet.tests.factories import balance_of, make_payer

pytestmark = [pytest.mark.browser, pytest.mark.django_db]


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with chromium.running(chromium_path) as browser:
        yield browser


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
    company = make_company()
    make_card(make_account(name="Sohar Dental"), last4="1881")
    record = UsageRecord.objects.get(billed_quantity__gt=0)
    office = Client()
    office.force_login(User.objects.get(email="admin@staff.test"))
    with visit(browser, office) as site:
        page = site.open(reverse("admin:accounts_account_changelist"))
        field = page.locator("#search-input-command")
        # A key that is pressed before the page's scripts have started is heard by nobody.
        page.wait_for_function(
            "document.querySelector('#search-input-command')._x_attributeCleanups"
        )
        page.keyboard.press("Control+k")
        expect(field).to_be_focused()
        field.press_sequentially("4242")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="What happened")).to_be_visible()
        # Here a redirect is followed without the browser: it is still at the search's address.
        page = site.open(reverse("admin:accounts_account_change", args=[company.account.pk]))
        wrong = wrong_in_light_and_dark(page, "account", "#content section")

        page.get_by_role("checkbox", name="Usage").check()
        page.get_by_role("button", name="Filter").click()
        page.get_by_role("link", name="Call minutes: 7.5 minutes").click()
        page.get_by_role("link", name=record.record_id).click()
        expect(page.get_by_text("Of 4.5 minutes, your plan included 2 minutes")).to_be_visible()
        wrong += problems_of(page, within="#content fieldset")
        wrong += site.complaints
    assert not wrong, "\n".join(wrong)


def signed_in(role: StaffRole) -> Client:
    client = Client()
    client.force_login(make_staff(role))
    return client


def test_goodwill_that_needs_approval_and_the_refund_of_a_top_up(
    browser: Browser, add_card: Callable[..., Card]
) -> None:
    """Support asks and Finance approves; then Finance refunds by themselves."""
    account = make_payer(add_card, name="Sohar Dental")
    payment = charge(account)
    wrong = []
    with visit(browser, signed_in(StaffRole.SUPPORT)) as site:
        page = site.open(f"/admin/accounts/account/{account.pk}/change/")
        page.get_by_role("link", name="Adjust credit").first.click()
        page.get_by_label("Amount").fill("100")
        page.get_by_label("Reason").fill("Sorry for the outage on Sunday")
        page.get_by_role("button", name="Show the effect").click()
        expect(page.get_by_text("beyond what you adjust alone")).to_be_visible()
        wrong += wrong_in_light_and_dark(page, "ask", "#content")
        page.get_by_role("button", name="Ask for approval").click()
        expect(page.get_by_text("nothing has happened yet")).to_be_visible()
        expect(page.get_by_role("link", name="Approve", exact=True)).to_have_count(0)
        wrong += site.complaints
    with visit(browser, signed_in(StaffRole.FINANCE)) as site:
        page = site.open("/admin/wallet/approvalrequest/")
        picture(page, "approvals light")
        page.locator("#result_list").get_by_role("link", name="2026").click()
        page.locator("a[href$='/approve/']").first.click()
        expect(page.get_by_text("$25.00 → $125.00")).to_be_visible()
        page.get_by_label("Reason").fill("They were cut off for an hour")
        wrong += wrong_in_light_and_dark(page, "approve", "#content")
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("It is approved and done.")).to_be_visible()
        assert balance_of(account) == 125

        page = site.open(f"/admin/invoices/transaction/{payment.pk}/change/")
        page.locator(f"a[href$='/{payment.pk}/refund/']").first.click()
        page.get_by_label("Reason").fill("The customer asked for it back")
        page.get_by_role("button", name="Show the effect").click()
        wrong += wrong_in_light_and_dark(page, "refund", "#content")
        page.get_by_role("button", name="Refund $25.00").click()
        expect(page.get_by_text("went back to the card")).to_be_visible()
        wrong += site.complaints
    assert Refund.objects.get().status == RefundStatus.SUCCEEDED
    assert balance_of(account) == 100
    assert not wrong, "\n".join(wrong)
