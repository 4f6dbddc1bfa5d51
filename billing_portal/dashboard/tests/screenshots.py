"""A picture of every page for docs/screenshots/: `make screenshots`.

The demo's companies live up to one moment, at which the clock then stands: a picture changes when
its page does. Not collected with the tests; it runs as one, for their database, sandbox and server.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import time_machine
from django.conf import settings as django_settings
from django.test import Client
from PIL import Image
from playwright.sync_api import Browser, BrowserContext

from accounts import api_keys
from accounts.models import Account, User
from billing_portal import demo
from billing_portal.dashboard.tests.browser import Form
from billing_portal.dashboard.tests.test_every_page import PAGES, address, numbers_of
from billing_portal.demo_months import engine, scenario
from billing_portal.demo_months.bank import Bank
from invoices import numbers
from invoices.models import Transaction
from plans import catalogue
from plans.models import UsageRecord

if TYPE_CHECKING:
    from conftest import Sandbox

__all__ = ["address"]

MOMENT = datetime(2026, 10, 21, 8, 40, tzinfo=UTC)
LIVED = timedelta(days=113)
FOLDER = Path(django_settings.BASE_DIR) / "docs" / "screenshots"
#: What a picture is called: its language, and its width and scheme.
FORMS: dict[str, tuple[str, Form]] = {
    "light": ("en", (1440, "light")),
    "dark": ("en", (1440, "dark")),
    "phone": ("en", (390, "light")),
    "arabic": ("ar", (1440, "light")),
}
#: Found in an e-mail only: without its link there is nothing to see.
NO_PICTURE = {"confirm-email"}
#: What the demo's first company has none of, its second one has.
OF_THE_OTHER = {"payment-confirm"}
ENTRANCE = {"login": "/accounts/login/", "password-reset": "/accounts/password/reset/"}
SECOND_FACTOR = {"second-factor": "/accounts/2fa/"}
QUALITY = 72
_DRAWN = """document.fonts.ready.then(() => new Promise((done) =>
    requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))"""


@dataclass
class Album:
    """The pictures that were taken, and what their pages call themselves."""

    titles: dict[str, str] = field(default_factory=dict)

    def take(self, context: BrowserContext, name: str, url: str, forms: dict[str, Form]) -> None:
        """Open the page once and take it in these forms."""
        page = context.new_page()
        answer = page.goto(url)
        assert answer is not None
        assert answer.status == 200, url
        page.evaluate("document.fonts.ready.then(() => true)")
        for form, (width, scheme) in forms.items():
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            # The card field is a page of its own: it, too, follows another width in its own time.
            for frame in page.frames:
                frame.evaluate(_DRAWN)
            shot = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
            shot.save(FOLDER / f"{name}-{form}.webp", quality=QUALITY, method=6)
        if "light" in forms:
            self.titles[name] = page.locator("h1").first.inner_text()
        page.close()

    def write_index(self) -> None:
        """Show them all on one page, each leading to itself in full."""
        rows = []
        for name, title in self.titles.items():
            shown = " ".join(
                f'<a href="{name}-{form}.webp"><img src="{name}-{form}.webp" alt="{title}, {form}"'
                f' width="{90 if form == "phone" else 270}"></a>'
                for form in FORMS
            )
            rows.append(f"## {title}\n\n{shown}\n")
        (FOLDER / "README.md").write_text(
            "# Every page, in light, dark, on a phone and in Arabic\n\n"
            "The demo's companies on one morning; `make screenshots` takes them all anew.\n\n"
            + "\n".join(rows)
        )


@pytest.fixture
def _months(
    transactional_db: None, sandbox: "Sandbox", monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The demo's companies at MOMENT, with the same numbers each time."""
    random = Random(7)
    monkeypatch.setattr(numbers.secrets, "choice", random.choice)
    monkeypatch.setattr(api_keys.secrets, "token_hex", lambda size: random.randbytes(size).hex())
    ids = Random(8)
    # Seen on the page of the API keys.
    monkeypatch.setattr(
        Account._meta.pk, "_get_default", lambda: UUID(bytes=ids.randbytes(16), version=4)
    )
    start = MOMENT - LIVED
    with time_machine.travel(MOMENT, tick=False):
        catalogue.load(now=start)
        demo.seed(password="correct horse battery", now=start)
        engine.run(bank=Bank(sandbox.url), start=start, end=MOMENT, seed=7)
        yield


@pytest.mark.usefixtures("_months")
def test_take_them(browser: Browser, address: str) -> None:
    album = Album()
    for old in FOLDER.glob("*.webp"):
        old.unlink()
    FOLDER.mkdir(exist_ok=True)
    for language in ("en", "ar"):
        forms = {name: form for name, (spoken, form) in FORMS.items() if spoken == language}

        def context_of(email: str = "", language: str = language) -> BrowserContext:
            context = browser.new_context(reduced_motion="reduce", locale=language)
            if email:
                context.add_cookies([signed_in(email, address)])
            return context

        first, other = (
            (context_of(profile.owner_email), what_is_shown(account_of(profile)))
            for profile in (scenario.SOHAR, scenario.DHOFAR)
        )
        for name, (path, *_) in PAGES.items():
            if name not in NO_PICTURE:
                context, found = other if name in OF_THE_OTHER else first
                album.take(context, name, f"{address}/billing/{path.format(**found)}", forms)
        for name, path in SECOND_FACTOR.items():
            album.take(first[0], name, address + path, forms)
        for name, path in ENTRANCE.items():
            album.take(context_of(), name, address + path, forms)
    album.write_index()


def what_is_shown(account: Account) -> dict[str, Any]:
    """Its newest of each: of usage what cost something, of what failed what waits for its owner."""
    charged = UsageRecord.objects.filter(account=account, amount__gt=0).latest("pk")
    shown = numbers_of(account) | {"record": charged.pk}
    waiting = Transaction.objects.filter(account=account, confirmable_until__gt=MOMENT).last()
    return shown if waiting is None else shown | {"failed": waiting.number}


def account_of(profile: Any) -> Account:
    """The company as it is now."""
    return Account.objects.get(external_id=profile.external_id)


def signed_in(email: str, address: str) -> Any:
    """The cookie of a person of the demo."""
    client = Client()
    client.force_login(
        User.objects.get(email=email), backend="django.contrib.auth.backends.ModelBackend"
    )
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}
