"""Pages in their other states: nothing yet, paused, past due, a viewer's, before signing in."""

from collections.abc import Callable
from decimal import Decimal
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser
from pytest_django import Settings

from accounts import outbox
from accounts.models import Account
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.browser import look_at
from invoices.tests.factories import LineSpec, make_transaction
from plans import usage
from plans.tests.factories import make_record

pytestmark = [pytest.mark.browser, pytest.mark.django_db]

LONG_NAME = (
    "The Muscat and Salalah International Freight Forwarding, Warehousing and Customs Clearance "
    "Company LLC"
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
    # A name without a space: the amount beside it stays whole, the page as wide as the screen.
    now = timezone.now()
    usage.record(records=[make_record(account, workspace="W" * 80, occurred_at=now)], now=now)
    lines = [LineSpec(description="W" * 90, amount=Decimal(5))]
    payment = make_transaction(account, lines=lines, created_at=now)
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
            "long-usage": "/billing/usage/?group=workspace",
            "long-payment": f"/billing/history/{payment.number}/",
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
            "viewer-payment-methods": "/billing/payment-methods/",
            "viewer-history": "/billing/history/",
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


def test_a_past_due_company(browser: Browser, sign_in: Callable[..., Client]) -> None:
    account = scenes.past_due_company()
    failed = account.transactions.get(purpose="renewal")
    pages = {
        "past-due-overview": "/billing/",
        "past-due-history": "/billing/history/",
        "past-due-renewal": f"/billing/history/{failed.number}/",
    }
    look_at(browser, sign_in(account), pages)


def test_pages_of_the_demos_mailbox(
    browser: Browser, client: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.EMAIL_BACKEND = "billing_portal.mailbox.MailboxBackend"
    settings.MAILBOX_DIR = tmp_path
    look_at(browser, client, {"mailbox-empty": "/mailbox/"})
    account = scenes.make_company(name=f"{LONG_NAME} {'W' * 60}", owner_email="owner@demo.test")
    context = {"balance": "$4.62", "threshold": "$5.00", "path": "/billing/top-up/"}
    outbox.record_email(
        account=account, event="low_balance", key="low", context=context, now=timezone.now()
    )
    assert outbox.deliver_due(now=timezone.now()) == 1
    [file] = tmp_path.glob("*.eml")
    look_at(browser, client, {"mailbox": "/mailbox/", "mailbox-letter": f"/mailbox/{file.stem}/"})

    letter = message_from_bytes(file.read_bytes(), policy=policy.default).get_body()
    assert letter is not None
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.set_content(letter.get_content())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.close()
