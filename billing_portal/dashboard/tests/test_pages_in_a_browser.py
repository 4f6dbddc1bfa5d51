"""Every page in Chromium: no accessibility violation, no complaint, no sideways scrolling.

With SCREENSHOTS set to a folder, a picture of each is left there.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django import Settings

from accounts import outbox
from accounts.models import Account
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.browser import launch, visit
from invoices.models import Status, Transaction

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

#: Width and scheme of the windows; with SCREENSHOTS set, all of them.
WINDOWS = ((390, True), (768, False), (1440, False))
ALL_WINDOWS = tuple((width, dark) for width in (390, 768, 1440) for dark in (False, True))
LONG_NAME = (
    "The Muscat and Salalah International Freight Forwarding, Warehousing and Customs Clearance "
    "Company LLC"
)
NO_STRIPE = "https://js.stripe.com/v3/"
STRIPE_STUB = """
window.Stripe = () => ({
  elements: () => ({ create: () => ({
    mount: (node) => { node.textContent = "Card number   MM / YY   CVC"; },
    on: () => {}, focus: () => {},
  }) }),
  confirmCardSetup: async (secret, data) => secret === "declined"
    ? { error: { message: "Your card was declined." } }
    : { setupIntent: { id: "seti_1", status: "succeeded" } },
});
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def problems_of(page: Page) -> list[str]:
    """What axe finds, and whether the page scrolls sideways."""
    found = Axe().run(page).response["violations"]
    problems = [f"{v['id']} at {[n['target'] for n in v['nodes']]}" for v in found]
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return [*problems, f"scrolls sideways by {overflow}px"] if overflow > 0 else problems


def look_at(
    browser: Browser,
    client: Client,
    pages: dict[str, str],
    *,
    foreign: dict[str, str] | None = None,
) -> None:
    """Open each page in every width, light and dark, and report whatever is wrong with it."""
    wrong: list[str] = []
    folder = os.environ.get("SCREENSHOTS")
    for width, dark in ALL_WINDOWS if folder else WINDOWS:
        with visit(browser, client, width=width, dark=dark) as site:
            site.foreign.update(foreign or {})
            for name, path in pages.items():
                where = f"{name} {width} {'dark' if dark else 'light'}"
                page = site.open(path)
                page.evaluate("document.fonts.ready.then(() => true)")
                if folder:
                    file = Path(folder) / f"{where.replace(' ', '-')}.png"
                    page.screenshot(path=file, full_page=True)
                assert page.url.split("?")[0].endswith(path.split("?")[0]), f"{where} led elsewhere"
                wrong += [f"{where}: {problem}" for problem in problems_of(page)]
                wrong += [f"{where}: {complaint}" for complaint in site.complaints]
                site.complaints.clear()
    assert not wrong, "\n".join(wrong)


def test_pages_of_a_busy_company(browser: Browser, sign_in: Callable[..., Client]) -> None:
    account = scenes.busy_company()
    scenes.switch_refill_on(account)
    failed = Transaction.objects.get(account=account, status=Status.FAILED)
    paid = Transaction.objects.filter(account=account, status=Status.PAID).latest("created_at")
    look_at(
        browser,
        sign_in(account),
        {
            "overview": "/billing/",
            "payment-methods": "/billing/payment-methods/",
            "settings": "/billing/settings/",
            "top-up": "/billing/top-up/?amount=50.00",
            "top-up-own": "/billing/top-up/?amount=37.50",
            "top-up-wrong": "/billing/top-up/?amount=3",
            "history": "/billing/history/",
            "history-nothing": "/billing/history/?status=processing",
            "paid": f"/billing/history/{paid.number}/",
            "failed": f"/billing/history/{failed.number}/",
            "outcome-failed": f"/billing/top-up/return/?number={failed.number}",
            "outcome-paid": f"/billing/top-up/return/?number={paid.number}",
            "plan": "/billing/plan/",
            "no-such-page": "/billing/history/T-nothing/",
        },
    )


def test_pages_of_a_new_company(
    browser: Browser, sign_in: Callable[..., Client], account: Account
) -> None:
    scenes.plan_version("payg")
    look_at(
        browser,
        sign_in(account),
        {
            "new-overview": "/billing/",
            "new-payment-methods": "/billing/payment-methods/",
            "new-history": "/billing/history/",
            "new-top-up": "/billing/top-up/",
            "new-plan": "/billing/plan/",
            "new-subscribe": "/billing/plan/growth/",
            "new-start-free": "/billing/plan/payg/",
        },
    )


def test_a_paused_company_with_a_long_name(
    browser: Browser, sign_in: Callable[..., Client]
) -> None:
    account = scenes.make_company(name=LONG_NAME, balance="-0.004")
    scenes.make_card(account, is_default=True)
    scenes.start_plan(account, "payg", at=account.created_at)
    client = sign_in(account)
    user = account.memberships.get().user
    scenes.Membership.objects.create(
        account=scenes.make_company(name="Zafar Frankincense"),
        user=user,
        role="viewer",
        created_at=account.created_at,
    )
    look_at(
        browser,
        client,
        {
            "paused-overview": "/billing/",
            "subscribe": "/billing/plan/growth/",
            "paused-top-up": "/billing/top-up/?amount=10.00",
        },
    )


def test_a_viewer_and_pages_before_signing_in(
    browser: Browser, sign_in: Callable[..., Client], account: Account
) -> None:
    scenes.start_plan(account, "payg", at=account.created_at)
    look_at(
        browser,
        sign_in(account, role="viewer"),
        {
            "viewer-overview": "/billing/",
            "viewer-plan": "/billing/plan/",
            "viewer-not-allowed": "/billing/top-up/",
            "change-password": "/accounts/password/change/",
            "two-factor": "/accounts/2fa/",
        },
    )
    look_at(
        browser,
        Client(),
        {
            "sign-in": "/accounts/login/",
            "reset": "/accounts/password/reset/",
            "reset-done": "/accounts/password/reset/done/",
            "signup": "/accounts/signup/",
            "reset-bad-link": "/accounts/password/reset/key/1-bad/",
        },
    )


def test_the_card_field(
    browser: Browser, sign_in: Callable[..., Client], account: Account, settings: object
) -> None:
    url = settings.STRIPE_JS_URL  # type: ignore[attr-defined]
    pages = {"add-card": "/billing/payment-methods/add/"}
    look_at(browser, sign_in(account), pages, foreign={url: STRIPE_STUB})


def test_a_past_due_company(browser: Browser, sign_in: Callable[..., Client]) -> None:
    account = scenes.past_due_company()
    failed = account.transactions.get(purpose="renewal")
    pages = {
        "past-due-overview": "/billing/",
        "past-due-renewal": f"/billing/history/{failed.number}/",
    }
    look_at(browser, sign_in(account), pages)


def test_pages_of_the_demos_mailbox(
    browser: Browser, client: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.EMAIL_BACKEND = "billing_portal.mailbox.MailboxBackend"
    settings.MAILBOX_DIR = tmp_path
    look_at(browser, client, {"mailbox-empty": "/mailbox/"})
    account = scenes.make_company(name=LONG_NAME, owner_email="owner@demo.test")
    context = {"balance": "$4.62", "threshold": "$5.00", "path": "/billing/top-up/"}
    outbox.record_email(
        account=account, event="low_balance", key="low", context=context, now=timezone.now()
    )
    assert outbox.deliver_due(now=timezone.now()) == 1
    [file] = tmp_path.glob("*.eml")
    look_at(browser, client, {"mailbox": "/mailbox/", "mailbox-letter": f"/mailbox/{file.stem}/"})
