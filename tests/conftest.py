"""What the browser tests share: one Chromium, and a portal that runs for real."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Browser
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts import webhook_endpoint
from billing_portal import settings as imported_settings
from plans import catalogue
from tests import chromium
from tests.books import assert_books_are_right
from tests.live_portal import LISTEN, PATIENCE_SECONDS, Platform, Portal, Visit, Visitor

if TYPE_CHECKING:
    from conftest import Sandbox


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """Start Chromium once for a module."""
    with chromium.running(chromium_path) as browser:
        yield browser


@pytest.fixture
def portal(
    transactional_db: None, live_server: LiveServer, sandbox: "Sandbox", settings: Settings
) -> Iterator[Portal]:
    """A portal that is told by Stripe's webhooks; its books must be right in the end."""
    settings.PORTAL_URL = live_server.url
    settings.CONTENT_SECURITY_POLICY = policy_with(sandbox.url)
    cache.clear()  # sign-ins of other tests do not count towards this one's limit
    catalogue.load(now=timezone.now())
    webhook_endpoint.register_endpoint(portal_url=live_server.url)
    portal = Portal(url=live_server.url, sandbox=sandbox, platform=Platform(live_server.url))
    yield portal
    portal.webhooks_delivered()
    assert_books_are_right()


def policy_with(sandbox_url: str) -> dict[str, Any]:
    """The portal's own policy; the sandbox Stripe has another address than on a laptop."""
    directives = imported_settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    usual = imported_settings.STRIPE_SANDBOX_URL
    return {
        "DIRECTIVES": {
            name: [sandbox_url if source == usual else source for source in sources]
            for name, sources in directives.items()
        }
    }


@pytest.fixture
def visit(browser: Browser, portal: Portal) -> Iterator[Visit]:
    """Open a browser window: `visit(width=390, script=False)`. It must not complain once."""
    visitors: list[Visitor] = []
    with ExitStack() as closing:

        def open_window(*, width: int = 1280, script: bool = True, dark: bool = False) -> Visitor:
            context = browser.new_context(
                viewport={"width": width, "height": 844},
                color_scheme="dark" if dark else "light",
                java_script_enabled=script,
            )
            closing.callback(context.close)
            context.set_default_timeout(PATIENCE_SECONDS * 1000)
            context.add_init_script(LISTEN)
            visitors.append(Visitor(portal=portal, context=context, page=context.new_page()))
            return visitors[-1]

        yield open_window
        for visitor in visitors:
            assert visitor.complaints == []
            assert visitor.refusals == []
