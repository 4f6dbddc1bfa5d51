"""A whole portal for the browser tests: over real HTTP, on PostgreSQL, with Stripe's webhooks.

Nothing is replaced: the pages, the API and the webhooks' receiver run in a server of their own
threads, the sandbox Stripe in a process of its own, which signs and delivers its events by itself.
Only the worker is missing, so that a test says when its work is done.
"""

import json
import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.core import mail
from django.db import connection
from django.utils import timezone
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    FrameLocator,
    Locator,
    Page,
    Response,
    expect,
)

from accounts import api_keys, gateway
from accounts.models import Account, User
from wallet.models import Wallet

if TYPE_CHECKING:
    from conftest import Sandbox

PASSWORD = "a camel crosses the wadi"
#: For a page, and for what Stripe tells the portal in the background; on a busy machine, too.
PATIENCE_SECONDS = 30
#: Chromium tells the page what its policy forbade; the console may not.
LISTEN = """
addEventListener("securitypolicyviolation", event =>
    console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI}`));
"""

VISA = "4242 4242 4242 4242"
MASTERCARD = "5555 5555 5555 4444"
#: Asks for 3-D Secure when it is saved, and pays by itself afterwards.
VISA_WITH_CHALLENGE = "4000 0025 0000 3155"

expect.set_options(timeout=PATIENCE_SECONDS * 1000)


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    """Wait for something that happens in the background, no longer than it may take."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"after {PATIENCE_SECONDS} s still not: {what}"
        time.sleep(0.02)


class Platform:
    """The customer's platform: it calls the REST API over HTTP, with a key."""

    def __init__(self, url: str) -> None:
        self.url = url
        _, self.token = api_keys.create(name="platform", now=timezone.now())
        self.calls = 0

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """Call the API; return the status and the answer."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def get(self, path: str) -> dict[str, Any]:
        """Read, which must succeed."""
        status, body = self.send("GET", path)
        assert status == 200, body
        return body

    def provision(self, name: str, *, owner: str, **fields: str) -> Account:
        """Make an account that nobody has heard of before."""
        content = {"external_id": owner.partition("@")[2], "name": name, "owner_email": owner}
        status, body = self.send("POST", "accounts/", content | fields)
        assert status == 201, body
        return Account.objects.get(pk=body["id"])

    def report(self, account: Account, feature: str, quantity: str) -> dict[str, Any]:
        """Report one record of usage, at this moment; return what became of it."""
        self.calls += 1
        record = {
            "id": f"call-{self.calls}",
            "account": str(account.pk),
            "feature": feature,
            "quantity": quantity,
            "occurred_at": timezone.now().isoformat(),
        }
        status, body = self.send("POST", "usage/", {"records": [record]})
        assert status == 200, body
        assert (body["recorded"], body["rejected"]) == (1, 0), body
        result: dict[str, Any] = body["results"][0]
        return result

    def authorization(self, account: Account, feature: str = "call_minutes") -> dict[str, Any]:
        """Ask whether a call may start."""
        return self.get(f"accounts/{account.pk}/authorization/?feature={feature}")


@dataclass
class Portal:
    """The running portal, its Stripe and its platform."""

    url: str
    sandbox: "Sandbox"
    platform: Platform

    @property
    def stripe(self) -> Any:
        """Stripe's API, asked directly."""
        return gateway.client().v1

    def webhooks_delivered(self) -> None:
        """Wait until Stripe has told the portal everything so far; nothing had to be repeated."""
        wait_until("all webhooks delivered", lambda: not self._waiting_webhooks())
        request = f"{self.sandbox.url}/_sandbox/deliveries"
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            deliveries = json.load(answer)["data"]
        repeated = [each for each in deliveries if each["attempts"] > 1]
        assert not repeated

    def _waiting_webhooks(self) -> int:
        deliveries: dict[str, int] = self.sandbox.control("webhooks")["deliveries"]
        return deliveries.get("pending", 0)

    def balance(self, account: Account) -> str:
        """The balance as the ledger has it."""
        return f"{Wallet.objects.get(account=account).balance:.6f}"

    def kinds_of_credit(self, account: Account) -> list[str]:
        """The kinds of the entries that raised the balance, oldest first, as the API has them."""
        entries = self.platform.get(f"accounts/{account.pk}/entries/")["results"]
        return [e["kind"] for e in reversed(entries) if not e["amount"].startswith("-")]


@dataclass
class Visitor:
    """Somebody at a browser, and everything their browser complained about."""

    portal: Portal
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    pictures: int = 0

    def __post_init__(self) -> None:
        """Listen."""
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("console", self._hear)
        self.page.on("response", self._note)

    def _hear(self, message: ConsoleMessage) -> None:
        # The response itself is noted below, with its address.
        is_response = message.text.startswith("Failed to load resource: the server responded")
        if message.type in ("error", "warning") and not is_response:
            self.complaints.append(f"{message.type}: {message.text} at {self.page.url}")

    def _note(self, response: Response) -> None:
        if response.status >= 400:
            self.refusals.append(f"{response.status} {urlsplit(response.url).path}")

    @contextmanager
    def expecting(self, *refusals: str) -> Iterator[None]:
        """Within, exactly this is refused: patterns of status and path, `403 /billing/.*`."""
        assert self.refusals == []
        yield
        assert len(self.refusals) == len(refusals), self.refusals
        for refusal, pattern in zip(self.refusals, refusals, strict=True):
            assert re.fullmatch(pattern, refusal), refusal
        self.refusals.clear()

    def open(self, path: str) -> Page:
        """Go to an address of the portal."""
        self.page.goto(f"{self.portal.url}{path}")
        return self.page

    def go(self, name: str) -> Page:
        """Go to a page by its entry in the navigation."""
        self.page.get_by_role("navigation", name="Billing").get_by_role("link", name=name).click()
        self.sees(name)
        return self.page

    def sees(self, heading: str) -> None:
        """See the page with this heading."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)
        self.picture()

    def reads(self, text: str | re.Pattern[str]) -> None:
        """Read something in the page's content."""
        expect(self.page.locator("main")).to_contain_text(text)

    def panel(self, name: str) -> Locator:
        """A panel of the page by its title."""
        return self.page.get_by_role("region", name=name)

    def press(self, name: str | re.Pattern[str]) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str | re.Pattern[str]) -> None:
        """Follow a link."""
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def chooses(self, amount: str, *, charged: str) -> None:
        """Choose an amount to top up, which says what it is charged as."""
        self.page.locator("label", has_text=f"{amount}{charged}").click()

    def forges(self, path: str, fields: dict[str, str]) -> int:
        """Post what no form on the page posts, with the page's own token; return the status."""
        status: int = self.page.evaluate(
            """async ([path, fields]) => {
                const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
                const body = new URLSearchParams({...fields, csrfmiddlewaretoken: token});
                return (await fetch(path, {method: "POST", body})).status;
            }""",
            [path, fields],
        )
        return status

    def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Sign in through the form, and arrive at the Overview."""
        self.open("/")
        self.fills_in_sign_in(email, password)
        self.sees("Billing Overview")

    def fills_in_sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Sign in where the site asks for it."""
        self.sees("Sign in to billing")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.press("Sign in")

    def sign_out(self) -> None:
        """Sign out through the menu."""
        self.page.locator("summary", has_text=re.compile("@")).click()
        self.press("Sign out")
        self.sees("Sign in to billing")

    def picture(self) -> None:
        """Leave a picture in the folder SCREENSHOTS, when it is set."""
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            self.pictures += 1
            test = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].partition(" ")[0]
            name = f"{test.removeprefix('test_')[:40]}-{self.pictures:02}.png"
            self.page.screenshot(path=str(Path(folder) / name), full_page=True)

    def type_card(self, number: str) -> None:
        """Type a card into the field that Stripe draws on our page."""
        type_card(self.page.frame_locator('iframe[title="Secure card number input frame"]'), number)

    def answer_challenge(self, *, passed: bool) -> None:
        """Tell the bank that it is you, or that it is not."""
        dialog = self.page.get_by_role("dialog", name="3-D Secure authentication")
        answer = "authorize" if passed else "fail"
        button = dialog.frame_locator("iframe").locator(f"#test-source-{answer}-3ds")
        button.wait_for()
        self.picture()
        button.click()

    def pay_on_stripes_page(self, number: str) -> None:
        """Type a card on the hosted payment page, and pay."""
        self.page.wait_for_url(f"{self.portal.sandbox.url}/c/pay/**")
        self.page.locator("#name").fill("Layla Al Said")
        type_card(self.page, number)
        self.picture()
        self.page.locator("#pay").click()

    def download(self, link: Locator) -> tuple[str, bytes]:
        """Follow a link that downloads a file; return the file's name and content."""
        with self.page.expect_download() as downloading:
            link.click()
        download = downloading.value
        return download.suggested_filename, download.path().read_bytes()

    def assert_fits(self) -> None:
        """Assert that the page does not scroll sideways."""
        assert self.page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), f"{self.page.url} scrolls sideways"


def at_once(count: int, work: Callable[[], int]) -> list[int]:
    """Do the same in several threads at the same moment."""
    barrier = threading.Barrier(count)

    def run(_: int) -> int:
        try:
            barrier.wait(timeout=PATIENCE_SECONDS)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


#: Opens a browser window: `visit(width=390, script=False, dark=True)`.
Visit = Callable[..., Visitor]


def type_card(where: Page | FrameLocator, number: str) -> None:
    """Type number, expiry and CVC, key by key, in place of what was there."""
    for name, text in (
        ("cardnumber", number.replace(" ", "")),
        ("exp-date", "1240"),
        ("cvc", "123"),
    ):
        box = where.locator(f'[name="{name}"]')
        box.clear()
        box.press_sequentially(text)


def link_in_last_mail(*, to: str) -> str:
    """The address in the newest mail, which must have gone to `to`."""
    message = mail.outbox[-1]
    assert message.to == [to]
    found = re.search(r"https?://\S+", str(message.body))
    assert found, message.body
    return found.group()


def give_password(email: str) -> User:
    """Spare a test the password mail."""
    user = User.objects.get(email=email)
    user.set_password(PASSWORD)
    user.save()
    return user
