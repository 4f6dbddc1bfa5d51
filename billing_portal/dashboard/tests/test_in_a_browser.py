"""What a person does in a real browser: with the keyboard, with scripts, and without."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django import Settings

from accounts import cards, gateway
from accounts.models import Account
from accounts.stripe_objects import Setup
from accounts.tests.factories import NOW, make_card
from billing_portal.dashboard.history import PAGE_SIZE
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.browser import (
    ORIGIN,
    STRIPE_STUB,
    Site,
    picture,
    problems_of,
    visit,
)
from invoices.models import Status
from invoices.tests.factories import make_transaction
from wallet.models import AutoRefill

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

SignIn = Callable[..., Client]


@pytest.fixture
def payer(account: Account) -> Account:
    """On pay as you go with a card and $30."""
    scenes.start_plan(account, "payg", at=timezone.now())
    scenes.top_up(account, "30.00", at=timezone.now())
    make_card(account, is_default=True)
    return account


def test_the_chosen_preset_is_written_on_the_button(
    browser: Browser, payer: Account, sign_in: SignIn
) -> None:
    with visit(browser, sign_in(payer)) as site:
        page = site.open("/billing/")

        page.get_by_role("radio", name="$100").check()

        expect(page.get_by_role("button", name="Add $100.00")).to_be_visible()
        assert site.complaints == []


def test_the_summary_follows_the_amount_and_the_card(
    browser: Browser, payer: Account, sign_in: SignIn
) -> None:
    with visit(browser, sign_in(payer)) as site:
        page = site.open("/billing/top-up/?amount=25.00")
        summary = page.locator("#top-up-summary")

        page.get_by_label("Own amount in USD").press_sequentially("37.50")
        page.get_by_role("button", name="Pay $25.00").focus()
        expect(summary).to_contain_text("OMR 14.440")
        expect(page.get_by_role("button", name="Pay $37.50")).to_be_focused()
        expect(summary).to_contain_text("$67.50")
        expect(page.get_by_role("radio", name="$25")).not_to_be_checked()
        page.get_by_role("radio", name="Another card").check()
        expect(page.get_by_role("button", name="Continue to payment")).to_be_visible()
        page.get_by_role("radio", name="$50").check()
        expect(summary).to_contain_text("OMR 19.250")
        expect(page.get_by_label("Own amount in USD")).to_have_value("")
        assert site.complaints == []


def test_without_scripts_an_own_amount_is_shown_before_it_is_paid(
    browser: Browser, payer: Account, sign_in: SignIn
) -> None:
    with visit(browser, sign_in(payer), script=False, width=390) as site:
        page = site.open("/billing/top-up/?amount=25.00")
        page.get_by_label("Own amount in USD").fill("37.50")
        page.get_by_role("button", name="Pay $25.00").click()

        assert page.get_by_text("Check the amounts, then confirm.").is_visible()
        assert page.get_by_role("button", name="Pay $37.50").is_visible()
        picture(page, "no-script-review")


def test_a_card_is_added_with_stripe_js(
    browser: Browser,
    account: Account,
    sign_in: SignIn,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setup = Setup("seti_1", "seti_1_secret", "requires_payment_method", "cus_1", None)
    monkeypatch.setattr(cards, "begin", lambda account: setup)
    monkeypatch.setattr(cards, "add", lambda **_: make_card(account, is_default=True))
    with visit(browser, sign_in(account)) as site:
        site.foreign[settings.STRIPE_JS_URL] = STRIPE_STUB
        page = site.open("/billing/payment-methods/add/")
        page.get_by_label("Name on card").fill("Layla Al Said")
        page.get_by_role("button", name="Save card").click()

        expect(page.get_by_text("Visa ending 4242 was added.")).to_be_visible()
        assert site.posted == [
            "/billing/payment-methods/setup-intent/",
            "/billing/payment-methods/add/",
        ]
        assert site.complaints == []


def test_a_card_the_bank_refuses_leaves_the_form_as_it_was(
    browser: Browser,
    account: Account,
    sign_in: SignIn,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setup = Setup("seti_1", "declined", "requires_payment_method", "cus_1", None)
    monkeypatch.setattr(cards, "begin", lambda account: setup)
    with visit(browser, sign_in(account)) as site:
        site.foreign[settings.STRIPE_JS_URL] = STRIPE_STUB
        page = site.open("/billing/payment-methods/add/")
        page.get_by_label("Name on card").fill("Layla Al Said")
        page.get_by_role("button", name="Save card").click()

        expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
        expect(page.get_by_role("button", name="Save card")).to_be_enabled()
        expect(page.get_by_label("Name on card")).to_have_value("Layla Al Said")
        assert problems_of(page) == []
        picture(page, "card-declined")


def test_when_stripe_js_is_blocked_the_customer_is_told(
    browser: Browser, account: Account, sign_in: SignIn
) -> None:
    with visit(browser, sign_in(account)) as site:
        page = site.open("/billing/payment-methods/add/")

        expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
        expect(page.get_by_role("button", name="Save card")).to_be_disabled()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_account_menu_works_with_the_keyboard(
    browser: Browser, payer: Account, sign_in: SignIn, width: int
) -> None:
    user = scenes.make_member(payer)
    other = scenes.make_company(name="Zafar Frankincense")
    scenes.Membership.objects.create(
        account=other, user=user, role="viewer", created_at=timezone.now()
    )
    with visit(browser, sign_in(payer, user=user), width=width) as site:
        page = site.open("/billing/")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        menu = page.locator("details.who > summary")
        menu.focus()

        page.keyboard.press("Enter")

        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        assert problems_of(page) == []
        picture(page, f"menu-{width}")
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
        expect(menu).to_be_focused()
        menu.press("Enter")
        page.get_by_role("button", name="Zafar Frankincense").click()
        expect(page.locator("main")).to_contain_text("Zafar Frankincense")
        assert site.complaints == []


def test_removing_a_card_asks_first(
    browser: Browser, payer: Account, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "detach_card", lambda payment_method_id: None)
    with visit(browser, sign_in(payer), width=390, dark=True) as site:
        page = site.open("/billing/payment-methods/")
        page.get_by_text("Remove", exact=True).click()
        picture(page, "remove-card")
        assert problems_of(page) == []
        page.get_by_role("button", name="Remove this card").click()

        expect(page.get_by_text("Visa ending 4242 was removed.")).to_be_visible()
        picture(page, "card-removed")


def test_auto_refill_asks_before_it_charges_at_once(
    browser: Browser, payer: Account, sign_in: SignIn
) -> None:
    with visit(browser, sign_in(payer)) as site:
        page = site.open("/billing/")
        page.get_by_role("switch", name="Auto-Refill").check()
        page.get_by_label("Threshold").fill("40")
        page.get_by_label("Top Up Amount").fill("3")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_label("Top Up Amount")).to_be_focused()
        assert problems_of(page) == []
        picture(page, "refill-error")
        page.get_by_label("Top Up Amount").fill("50")
        page.get_by_role("button", name="Save").click()

        expect(page.get_by_role("button", name="Turn on and charge $50.00")).to_be_visible()
        assert problems_of(page) == []
        picture(page, "refill-confirm")


@pytest.fixture
def long_history(payer: Account) -> Account:
    """Two pages of payments, of which two failed."""
    for number in range(PAGE_SIZE + 2):
        status = Status.FAILED if number in (3, 9) else Status.PAID
        at = NOW - timedelta(days=number)
        make_transaction(payer, amount=f"{20 + number}.00", status=status, created_at=at)
    return payer


def test_a_list_is_filtered_and_paged_without_losing_the_focus(
    browser: Browser, long_history: Account, sign_in: SignIn
) -> None:
    with visit(browser, sign_in(long_history)) as site:
        page = site.open("/billing/history/")
        said = page.locator("#announcer")
        rows = page.locator("tbody tr")
        expect(page.get_by_role("button", name="Apply")).to_be_hidden()

        page.get_by_label("Status").focus()
        page.get_by_label("Status").select_option("Failed")
        expect(rows).to_have_count(2)
        expect(said).to_have_text("2 payments shown, newest first.")
        expect(page.get_by_label("Status")).to_be_focused()
        assert page.url.endswith("/billing/history/?status=failed")

        page.get_by_role("link", name="Clear filters").click()
        page.get_by_role("searchbox", name="Search").press_sequentially("23.00")
        expect(rows).to_have_count(1)
        expect(page.get_by_role("searchbox", name="Search")).to_be_focused()
        assert page.url.endswith("?search=23.00")
        with page.expect_event("load"):  # before its scripts are there the links are plain ones
            page.go_back()
        expect(rows).to_have_count(PAGE_SIZE)

        page.get_by_role("link", name="Older").focus()
        page.keyboard.press("Enter")
        expect(rows).to_have_count(3)
        expect(page.get_by_role("region", name="Transactions")).to_be_focused()
        assert "before=" in page.url
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Export CSV")).to_be_focused()
        page.get_by_label("From").fill("2026-11-20")
        page.get_by_label("To").fill("2026-11-19")
        expect(said).to_contain_text("To: This is before the first date.")
        assert problems_of(page) == []
        picture(page, "history-wrong-range")
        assert site.complaints == []


@contextmanager
def before_the_scripts(site: Site, path: str) -> Iterator[Page]:
    """Open a page over a line so slow that what is done within comes before HTMX does."""
    held: list[Route] = []
    is_open = False

    def hold(route: Route) -> None:
        if is_open:  # asked for at the last moment
            route.fallback()
        else:
            held.append(route)

    site.page.route("**/htmx*.js", hold)
    site.page.goto(f"{ORIGIN}{path}", wait_until="commit")
    yield site.page
    is_open = True
    for route in held:
        route.fallback()
    site.page.unroute("**/htmx*.js")


def test_what_was_done_before_the_scripts_came_counts_all_the_same(
    browser: Browser, sign_in: SignIn
) -> None:
    with visit(browser, sign_in(scenes.busy_company())) as site:
        with before_the_scripts(site, "/billing/history/") as page:
            page.get_by_label("Status").select_option("Failed")
        expect(page).to_have_url(f"{ORIGIN}/billing/history/?status=failed")
        expect(page.locator("tbody")).not_to_contain_text("Paid")

        with before_the_scripts(site, "/billing/plan/rentals/phone_number/") as page:
            page.get_by_label("How many to hold").fill("6")
        expect(page.get_by_role("button", name="Take 6 numbers")).to_be_visible()

        with before_the_scripts(site, "/billing/top-up/?amount=50.00") as page:
            page.get_by_label("Own amount in USD").fill("77.50")
        expect(page.get_by_role("button", name="Pay $77.50")).to_be_visible()
        expect(page.get_by_role("radio", name="$50")).not_to_be_checked()

        with before_the_scripts(site, "/billing/top-up/?amount=50.00") as page:
            page.get_by_role("radio", name="$100").check()
        expect(page.get_by_role("button", name="Pay $100.00")).to_be_visible()

        with before_the_scripts(site, "/billing/usage/history/") as page:
            page.locator(".explain > summary").first.click()
        expect(page.locator(".reckoning")).to_be_visible()
        assert site.complaints == []


def test_without_scripts_one_filters_pages_and_switches_auto_refill(
    browser: Browser, long_history: Account, sign_in: SignIn
) -> None:
    with visit(browser, sign_in(long_history), script=False, width=390) as site:
        page = site.open("/billing/history/")
        rows = page.locator("tbody tr")
        page.get_by_role("link", name="Older").click()
        expect(rows).to_have_count(3)
        page.get_by_role("link", name="Newer").click()
        expect(rows).to_have_count(PAGE_SIZE)
        page.get_by_label("Status").select_option("Failed")
        page.get_by_role("button", name="Apply").click()
        expect(rows).to_have_count(2)
        picture(page, "no-script-history")
        page.get_by_role("link", name="Clear filters").click()
        expect(rows).to_have_count(PAGE_SIZE)

        site.open("/billing/")
        page.get_by_role("switch", name="Auto-Refill").check()
        page.get_by_label("Threshold").fill("10")
        page.get_by_label("Top Up Amount").fill("25")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("switch", name="Auto-Refill")).to_be_checked()
        assert AutoRefill.objects.get(wallet__account=long_history).enabled
