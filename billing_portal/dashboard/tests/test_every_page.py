"""Every page of the dashboard in Chromium, from a server that compresses as in production.

No accessibility violation, nothing the browser complains about, no sideways scrolling, in light and
dark on a desk, a tablet and a phone, in English and Arabic; the keyboard reaches what there is to
do, visibly; no page weighs much. A page that is new is told of here, or the first test fails.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, Page
from pytest_django import Settings

from accounts.models import Account
from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.browser import (
    ALL_FORMS,
    STRIPE_STUB,
    TWO_FORMS,
    Form,
    problems_in_forms,
)
from billing_portal.dashboard.urls import urlpatterns
from invoices.models import Status, Transaction
from plans.models import UsageRecord

pytestmark = pytest.mark.browser

#: What each page is looked at as, below /billing/.
PAGES: dict[str, tuple[str, ...]] = {
    "billing-overview": ("",),
    "usage": ("usage/", "usage/?days=3_months&group=workspace", "usage/?date_from=2020-01-01"),
    "usage-history": ("usage/history/", "usage/history/?charge=free&workspace=none"),
    "usage-record": ("usage/history/{record}/",),
    "credit": ("credit/", "credit/?kind=dispute"),
    "credit-statements": ("credit/statements/",),
    "payment-methods": ("payment-methods/",),
    "payment-method-add": ("payment-methods/add/",),
    "top-up": ("top-up/?amount=50.00", "top-up/?amount=3"),
    "top-up-return": ("top-up/return/?number={paid}", "top-up/return/?number={failed}"),
    "billing-history": ("history/", "history/?status=processing"),
    "billing-history-detail": ("history/{paid}/", "history/{failed}/"),
    "payment-confirm": ("history/{failed}/confirm/",),
    "billing-settings": ("settings/",),
    "members": ("settings/members/",),
    "sign-in": ("settings/sign-in/",),
    # To the page that asks for the password again; and back, with what is wrong with the link.
    "change-email": ("settings/sign-in/email/",),
    "confirm-email": ("settings/sign-in/email/nonsense/",),
    "api-keys": ("settings/api-keys/",),
    "activity": ("settings/activity/", "settings/activity/?kind=services"),
    "plan": ("plan/",),
    "rental": ("plan/rentals/phone_number/?quantity=4",),
    "choose-plan": ("plan/starter/",),
    "plan-cancel": ("cancel-plan/",),
}
#: What forms post to, and files.
NO_PAGES = {
    "usage-history-export",
    "auto-refill",
    "switch-account",
    "language",
    "payment-method-setup-intent",
    "payment-method-default",
    "payment-method-remove",
    "billing-history-export",
    "credit-export",
    "credit-statement-pdf",
    "credit-statement-csv",
    "payment-confirm-decline",
    "billing-history-check",
    "billing-history-receipt",
    "billing-history-credit-note",
    "billing-details",
    "receipt-copies",
    "time-and-language",
    "low-balance",
    "spend-cap",
    "member-invite",
    "api-key-create",
    "api-key-revoke",
    "member-leave",
    "member-role",
    "member-remove",
    "invitation-resend",
    "invitation-revoke",
    "renewal-pay-now",
    "rental-keep",
    "plan-keep",
}
#: Of a first visit, over the wire, fonts included.
MAXIMUM_BYTES = 150_000
#: A name for which every font of ours is fetched.
IN_ALL_FONTS = "Ṣuḥār Freight, صحار"
#: Longer ones go on in the same way.
_MOST_TABS = 70


def test_every_address_is_a_page_that_is_looked_at_or_none() -> None:
    names = {pattern.name for pattern in urlpatterns}

    assert names - PAGES.keys() - NO_PAGES == set(), "tell of it in PAGES or NO_PAGES"
    assert PAGES.keys() - names == set()
    assert NO_PAGES - names == set()


@pytest.fixture
def address(transactional_db: None, settings: Settings, tmp_path: Path) -> Iterator[str]:
    """A server with collected, compressed static files, as in production."""
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    settings.WHITENOISE_AUTOREFRESH = False
    foreign = ["admin", "unfold", "flags", "rest_framework", "drf_spectacular_sidecar"]
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=foreign)
    with serving() as address:
        yield address


class Server(ThreadingMixIn, WSGIServer):
    """Answers several requests at once, as gunicorn does; threads end with the test."""

    daemon_threads = True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Give the thread's connection to the database back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            connections.close_all()


class Silent(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """Run the portal in threads of this process."""
    server = make_server("localhost", 0, get_wsgi_application(), Server, Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_every_page(browser: Browser, address: str, settings: Settings, language: str) -> None:
    account = scenes.busy_company(name=IN_ALL_FONTS)
    scenes.switch_refill_on(account)
    context = browser.new_context(reduced_motion="reduce", locale=language)
    context.add_cookies([signed_in(account, address)])
    context.route(settings.STRIPE_JS_URL, lambda route: route.fulfill(body=STRIPE_STUB))
    page = context.new_page()
    # A first visit: nothing is kept from the page before.
    context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    wrong = walk(
        page,
        {f"{address}/billing/{path}": forms for path, forms in visits(account, language)},
    )
    context.close()

    assert not wrong, "\n".join(wrong)


def walk(page: Page, addresses: dict[str, tuple[Form, ...]]) -> list[str]:
    """What is wrong with these pages; with the keyboard, too, where every form is looked at."""
    wrong: list[str] = []
    heard: list[str] = []
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on(
        "console",
        lambda message: (
            heard.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    for address, forms in addresses.items():
        page.emulate_media(color_scheme="light")
        answer = page.goto(address)
        assert answer is not None
        language = page.evaluate("document.documentElement.lang")
        name = f"{language} {address.partition('/billing/')[2].replace('/', ' ')}".strip()
        if answer.status != 200:
            wrong.append(f"{name}: answered {answer.status}")
        if (weight := weight_of(page)) > MAXIMUM_BYTES:
            wrong.append(f"{name}: weighs {weight} bytes")
        if forms == ALL_FORMS:
            wrong += [f"{name}: {problem}" for problem in problems_of_the_keyboard(page)]
        # A language has no colours of its own.
        wrong += problems_in_forms(page, name, forms, colours=language == "en")
        wrong += [f"{name}: {complaint}" for complaint in heard]
        heard.clear()
    return wrong


def signed_in(account: Account, address: str) -> Any:
    """The cookie of an owner who has signed in."""
    client = Client()
    backend = "django.contrib.auth.backends.ModelBackend"
    client.force_login(scenes.make_member(account), backend=backend)
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}


def visits(account: Account, language: str) -> Iterator[tuple[str, tuple[Form, ...]]]:
    """All of PAGES, with what the account has: in English, in every form first."""
    numbers = numbers_of(account)
    for first, *others in PAGES.values():
        yield first.format(**numbers), ALL_FORMS if language == "en" else TWO_FORMS
        yield from ((path.format(**numbers), TWO_FORMS) for path in others)


def numbers_of(account: Account) -> dict[str, Any]:
    """What the addresses of PAGES need of the account: its newest of each."""
    payments = Transaction.objects.filter(account=account)
    return {
        "record": UsageRecord.objects.filter(account=account).latest("pk").pk,
        "paid": payments.filter(status=Status.PAID).latest("created_at").number,
        "failed": payments.filter(status=Status.FAILED).latest("created_at").number,
    }


def weight_of(page: Page) -> int:
    """Bytes over the wire, heads included."""
    page.evaluate("document.fonts.ready.then(() => true)")
    weight: int = page.evaluate(
        """performance.getEntries()
            .filter((each) => ["navigation", "resource"].includes(each.entryType))
            .reduce((sum, each) => sum + each.transferSize, 0)"""
    )
    return weight


def problems_of_the_keyboard(page: Page) -> list[str]:
    """What Tab does not reach in the page's own part, or reaches invisibly."""
    wanted: int = page.evaluate(
        """() => {
            window.reached = new Set();
            window.unseen = [];
            const outlined = (element) =>
                element && getComputedStyle(element).outlineStyle !== "none";
            document.addEventListener("focusin", ({ target }) => {
                window.reached.add(target);
                const around = [target, target.nextElementSibling, target.closest(".choice")];
                if (!around.some(outlined)) window.unseen.push(target.outerHTML.slice(0, 80));
            });
            const focusable = "a, button, input, select, summary";
            window.wanted = [...document.querySelectorAll(`main :is(${focusable})`)]
                .filter((each) => each.checkVisibility({ visibilityProperty: true }))
                .filter((each) => !each.disabled && each.type !== "hidden")
                .filter((each) => each.type !== "radio" || each.checked);
            return document.querySelectorAll(focusable).length;
        }"""
    )
    for _ in range(min(wanted + 5, _MOST_TABS)):
        page.keyboard.press("Tab")
    missed, unseen = page.evaluate(
        """(all) => [
            all ? window.wanted.filter((each) => !window.reached.has(each))
                .map((each) => each.outerHTML.slice(0, 80)) : [],
            window.unseen,
        ]""",
        wanted + 5 <= _MOST_TABS,
    )
    return [
        *(f"Tab does not reach {each}" for each in missed),
        *(f"focus is not seen on {each}" for each in unseen),
    ]
