"""What people see while the portal is away, or they are cut off: nothing typed is lost by it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from accounts.models import Account, ApiKey
from billing_portal.dashboard.tests.browser import (
    ALL_FORMS,
    ORIGIN,
    TWO_FORMS,
    problems_in_forms,
    visit,
)
from billing_portal.dashboard.viewing import ViewingMiddleware

SignIn = Callable[..., Client]


@dataclass
class Database:
    """Whether it can be reached."""

    is_away: bool = False


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database that can be sent away, as the first middleware that asks it sees."""
    found = Database()
    answer = ViewingMiddleware.__call__

    def asked(self: ViewingMiddleware, request: HttpRequest) -> HttpResponseBase:
        if found.is_away:
            raise OperationalError("the connection is lost")
        return answer(self, request)

    monkeypatch.setattr(ViewingMiddleware, "__call__", asked)
    return found


@pytest.fixture
def owner(account: Account, sign_in: SignIn) -> Client:
    """Their browser shows what the portal answers, whatever went wrong in it."""
    client = sign_in(account)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_page_that_says_so(browser: Browser, database: Database, language: str) -> None:
    database.is_away = True
    client = Client(raise_request_exception=False, headers={"Accept-Language": language})
    with visit(browser, client) as site:
        page = site.open("/billing/")
        assert page.locator("html").get_attribute("lang") == language
        assert "503" in page.inner_text("main")
        assert problems_in_forms(page, f"unavailable {language}", ALL_FORMS) == []
    assert site.complaints == []


@pytest.mark.django_db
def test_a_list_stays_and_says_whether_we_are_away_or_the_network_is(
    browser: Browser, owner: Client, database: Database
) -> None:
    with visit(browser, owner) as site:
        page = site.open("/billing/usage/")
        said, days = page.get_by_role("alert"), page.get_by_label("Days")
        site.is_cut_off = True
        days.focus()
        days.select_option("Last 30 days")
        expect(said).to_contain_text("Check your connection")
        expect(said.get_by_role("link", name="Try again")).to_have_attribute(
            "href", "/billing/usage/?days=30_days"
        )
        assert problems_in_forms(page, "cut off", TWO_FORMS) == []

        site.is_cut_off, database.is_away = False, True
        days.select_option("Last period")
        expect(said).to_contain_text("We are away for a moment.")
        expect(said).to_contain_text("We expect to answer in 5 seconds.")
        expect(said).not_to_contain_text("Check your connection", use_inner_text=True)
        said.get_by_role("button", name="Close").press("Enter")
        expect(said).to_be_hidden()
        expect(days).to_be_focused()

        database.is_away = False
        days.select_option("Last 30 days")
        expect(page.locator("#usage-figures")).not_to_have_attribute("aria-busy", "true")
        expect(said).to_be_hidden()


@pytest.mark.django_db
def test_what_was_typed_stays_and_is_saved_when_it_is_sent_again(
    browser: Browser, owner: Client, database: Database, account: Account
) -> None:
    with visit(browser, owner) as site:
        page = site.open("/billing/settings/")
        # Also when the page was swapped before, for a form with an error.
        cap = page.get_by_label("Usage may cost at most")
        cap.fill("much")
        cap.press("Enter")
        expect(cap).to_be_focused()
        expect(cap).to_have_attribute("aria-invalid", "true")
        name, said = page.get_by_label("Name on receipts"), page.get_by_role("alert")
        name.fill("Sohar Shipping LLC")
        save = page.locator("section:has(#billing-details-title)").get_by_role("button")

        database.is_away = True
        save.press("Enter")
        expect(said).to_contain_text("We are away for a moment.")
        database.is_away, site.is_cut_off = False, True
        save.press("Enter")
        expect(said).to_contain_text("Check your connection")
        site.is_cut_off = False
        owner.logout()
        save.press("Enter")
        expect(said).to_contain_text("You are signed out.")
        expect(said.get_by_role("link", name="Sign in")).to_have_attribute("target", "_blank")
        expect(name).to_have_value("Sohar Shipping LLC")
        expect(save).to_be_focused()
        account.refresh_from_db()
        assert account.billing_name == ""

        owner.force_login(account.memberships.get().user)
        save.press("Enter")
        expect(page.get_by_role("status").filter(has_text="saved")).to_be_focused()
        account.refresh_from_db()
        assert account.billing_name == "Sohar Shipping LLC"


@pytest.mark.django_db
def test_what_was_done_though_its_answer_was_lost_is_not_done_again(
    browser: Browser, owner: Client, account: Account
) -> None:
    with visit(browser, owner) as site:
        page = site.open("/billing/settings/api-keys/")
        page.get_by_label("Name").fill("Spreadsheet")
        site.loses_answers = True
        make = page.get_by_role("button", name="Make the key")
        make.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("nothing is done twice")

        site.loses_answers = False
        make.press("Enter")
        expect(page.get_by_role("status").filter(has_text="made already")).to_be_visible()
        assert ApiKey.objects.filter(account=account).count() == 1


@pytest.mark.django_db
def test_each_refusal_says_what_it_is(browser: Browser, owner: Client) -> None:
    ours = "<main class=entrance><h1>This page has expired</h1><p>Open it again.</p></main>"
    with visit(browser, owner) as site:
        page = site.open("/billing/settings/members/")
        page.get_by_label("E-mail").fill("omar@muscat.test")
        for status, headers, body, words in (
            (429, {"Retry-After": "120"}, "", "Too many tries. … We expect to answer in 2 minutes"),
            (429, {}, "slow down", "Too many tries."),
            (502, {}, "<html>Bad gateway</html>", "We are away for a moment."),
            (503, {"Retry-After": "soon"}, "", "We are away for a moment."),
            (403, {}, ours, "This page has expired. Open it again."),
            (400, {}, "", "Something went wrong on our side."),
            (500, {}, ours, "Something went wrong on our side."),
        ):
            answered(page, status, headers, body)
            page.get_by_role("button", name="Send the invitation").press("Enter")
            for part in words.split(" … "):
                expect(page.get_by_role("alert")).to_contain_text(part, use_inner_text=True)
        expect(page.get_by_label("E-mail")).to_have_value("omar@muscat.test")
        # A page of ours that says more is shown, whatever its status.
        whole = (
            "<div class=frame><main><p role=alert>Five were paid. Wait an hour.</p></main></div>"
        )
        answered(page, 429, {}, whole)
        page.get_by_role("button", name="Send the invitation").press("Enter")
        expect(page.get_by_role("alert")).to_have_text("Five were paid. Wait an hour.")


def answered(page: Page, status: int, headers: dict[str, str], body: str) -> None:
    """The next invitation is answered so, by whatever stands before the portal."""
    page.route(
        f"{ORIGIN}/billing/settings/members/invite/",
        lambda route: route.fulfill(
            status=status, headers=headers, body=body, content_type="text/html"
        ),
        times=1,
    )
