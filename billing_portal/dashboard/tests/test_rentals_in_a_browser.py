"""Taking, releasing and keeping rentals in a real browser, charged to the sandbox Stripe."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from accounts.models import Account, Card
from billing_portal.dashboard.tests.browser import look_at, picture, visit
from invoices.models import Purpose, Status, Transaction
from plans.tests.subscribers import make_subscriber
from plans.tests.test_rentals import hold

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

SignIn = Callable[..., Client]


@pytest.fixture
def salim(add_card: Callable[..., Card]) -> Account:
    """On growth since a moment ago: 2 numbers are included, the third costs $2.50 a month."""
    return make_subscriber(add_card, "growth", now=timezone.now())


def type_quantity(page: Page, quantity: str) -> None:
    field = page.get_by_label("How many to hold")
    field.clear()
    field.press_sequentially(quantity)


@pytest.mark.parametrize("script", [True, False])
def test_take_release_and_keep(
    browser: Browser, salim: Account, sign_in: SignIn, script: bool
) -> None:
    with visit(browser, sign_in(salim), script=script) as site:
        page = site.open("/billing/plan/")
        page.get_by_role("link", name="Change Phone number").click()

        type_quantity(page, "5")
        if not script:
            page.get_by_role("button", name="Show the price").click()
            expect(page.get_by_text("Check the amounts, then confirm.")).to_be_visible()
        summary = page.locator("#rental-summary")
        expect(summary).to_contain_text("3 numbers until")
        picture(page, f"rental-take-{script}")
        page.get_by_role("button", name="Take 5 numbers and pay $7.50").click()
        expect(page.get_by_text("Phone number: you hold 5 numbers.")).to_be_visible()
        paid = Transaction.objects.get(account=salim, purpose=Purpose.RENTAL)
        assert (paid.status, str(paid.amount.amount)) == (Status.PAID, "7.50")

        page.get_by_role("link", name="Change Phone number").click()
        type_quantity(page, "3")
        if not script:
            page.get_by_role("button", name="Show the price").click()
        page.get_by_role("button", name="Hold 3 numbers from the renewal on").click()
        expect(page.locator("#rentals")).to_contain_text("3 numbers from")

        page.get_by_role("button", name="Keep 5 numbers").click()
        expect(page.get_by_text("Phone number: you hold 5 numbers.")).to_be_visible()
        expect(page.locator("#rentals")).not_to_contain_text("3 numbers from")
        assert Transaction.objects.filter(account=salim, purpose=Purpose.RENTAL).count() == 1
        assert site.complaints == []


def test_the_pages_of_rentals(browser: Browser, salim: Account, sign_in: SignIn) -> None:
    now = timezone.now()
    hold(salim, "phone_number", 5, now)
    hold(salim, "user_seat", 4, now)
    hold(salim, "phone_number", 3, now)
    Account.objects.filter(pk=salim.pk).update(country="OM", timezone="Asia/Muscat")
    here = "/billing/plan/rentals"
    look_at(
        browser,
        sign_in(salim),
        {
            "plan-rentals": "/billing/plan/",
            "rental-more": f"{here}/phone_number/?quantity=8",
            "rental-fewer": f"{here}/phone_number/?quantity=1",
            "rental-wrong": f"{here}/call_concurrency/?quantity=51",
        },
    )
    look_at(browser, sign_in(salim, "viewer"), {"rental-viewer": f"{here}/phone_number/"})
