"""What people see while the database is away."""

import pytest
from django.db import OperationalError
from django.http import HttpRequest
from django.test import Client
from playwright.sync_api import Browser

from billing_portal.dashboard.tests.browser import ALL_FORMS, problems_in_forms, visit
from billing_portal.dashboard.viewing import ViewingMiddleware


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_page_that_says_so(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    def away(self: ViewingMiddleware, request: HttpRequest) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(ViewingMiddleware, "__call__", away)
    client = Client(raise_request_exception=False, headers={"Accept-Language": language})
    with visit(browser, client) as site:
        page = site.open("/billing/")
        assert page.locator("html").get_attribute("lang") == language
        assert "503" in page.inner_text("main")
        assert problems_in_forms(page, f"unavailable {language}", ALL_FORMS) == []
    assert site.complaints == []
