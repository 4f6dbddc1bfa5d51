"""A real Chromium whose requests are answered by Django's test client, and what it finds wrong.

No server and no second database connection: a page sees exactly what the test made, inside the
test's own transaction, with the headers (and so the Content-Security-Policy) of the real site.
"""

import contextvars
import mimetypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from django.contrib.staticfiles import finders
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Route

#: Chromium trusts localhost as it trusts https.
ORIGIN = "http://localhost"
Scheme = Literal["light", "dark"]
Form = tuple[int, Scheme]
_TABLET = 768
#: Layouts, and colours: what stands on a tablet has the colours that it has on a desk.
ALL_FORMS: tuple[Form, ...] = (
    (1440, "light"),
    (1440, "dark"),
    (_TABLET, "light"),
    (390, "dark"),
)
#: For what is the same page in another state.
TWO_FORMS: tuple[Form, ...] = ((1440, "light"), (390, "dark"))
#: For somebody who wants to look.
_PICTURED = tuple(product((1440, _TABLET, 390), get_args(Scheme)))
#: Of a long list the first lines are looked at: one piece of a template writes them all.
_MORE_OF_THE_SAME = "tbody tr:nth-child(n + 9)"
#: What depends on the colours, and takes most of axe's time.
_COLOURS = ("color-contrast", "link-in-text-block")
_ONLY_COLOURS = {"runOnly": list(_COLOURS)}
_NO_COLOURS = {"rules": {rule: {"enabled": False} for rule in _COLOURS}}
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


@dataclass
class Site:
    """The portal as one signed-in customer's browser sees it."""

    page: Page
    client: Client
    complaints: list[str] = field(default_factory=list)
    foreign: dict[str, str] = field(default_factory=dict)
    posted: list[str] = field(default_factory=list)
    is_cut_off: bool = False
    loses_answers: bool = False

    def open(self, path: str) -> Page:
        """Go to a page of the portal."""
        self.page.goto(f"{ORIGIN}{path}")
        return self.page

    def hear(self, message: ConsoleMessage) -> None:
        """Note what the browser complains about; that a page answers 403 or 404 is no complaint."""
        expected = message.text.startswith("Failed to load resource: the server responded")
        if message.type in ("error", "warning") and not expected:
            self.complaints.append(message.text)

    def answer(self, route: Route) -> None:
        """Answer one request of the browser."""
        request = route.request
        if self.is_cut_off:
            route.abort()
            return
        url = urlsplit(request.url)
        if f"{url.scheme}://{url.netloc}" != ORIGIN:
            script = self.foreign.get(request.url)
            if script is None:
                route.abort()
            else:
                route.fulfill(body=script, content_type="text/javascript")
            return
        if url.path.startswith("/static/"):
            self._static(route, url.path.removeprefix("/static/"))
            return
        self._page(route)

    def _static(self, route: Route, name: str) -> None:
        found = finders.find(name)
        if not isinstance(found, str):
            self.complaints.append(f"missing static file {name}")
            route.fulfill(status=404)
            return
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        route.fulfill(body=Path(found).read_bytes(), content_type=kind)

    def _page(self, route: Route) -> None:
        request = route.request
        path = request.url.removeprefix(ORIGIN)
        headers = {
            f"HTTP_{name.upper().replace('-', '_')}": value
            for name, value in request.headers.items()
            if name.startswith(("hx-", "x-"))
        }
        if request.method == "POST":
            self.posted.append(path)
            response = self.client.post(
                path,
                data=request.post_data or "",
                content_type=request.headers.get("content-type", "text/plain"),
                follow=True,
                **headers,  # type: ignore[arg-type]
            )
        else:
            response = self.client.get(path, follow=True, **headers)  # type: ignore[arg-type]
        if self.loses_answers:
            route.abort()
            return
        body = b"".join(response) if response.streaming else response.content
        route.fulfill(status=response.status_code, headers=dict(response.headers), body=body)


@contextmanager
def visit(
    browser: Browser, client: Client, *, width: int = 1440, dark: bool = False, script: bool = True
) -> Iterator[Site]:
    """Open a window of the browser on the portal."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
        # What axe sees of a colour must not be on its way to another.
        reduced_motion="reduce",
        bypass_csp=False,
    )
    page = context.new_page()
    site = Site(page=page, client=client)
    page.on("pageerror", lambda error: site.complaints.append(str(error)))
    page.on("console", site.hear)
    # Playwright calls back in a context of its own, where Django would open another connection.
    context_of_the_test = contextvars.copy_context()
    page.route("**/*", lambda route: context_of_the_test.copy().run(site.answer, route))
    try:
        yield site
    finally:
        context.close()


def problems_of(
    page: Page, options: dict[str, Any] | None = None, *, within: str = "html"
) -> list[str]:
    """What axe finds of the page, or of a part of it, and whether the page scrolls sideways.

    Another page within it is its own: an e-mail's is sandboxed, and axe could not speak to it.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(
        "async ([part, options]) => (await axe.run(part, "
        "{...options, resultTypes: ['violations'], iframes: false})).violations"
        ".map((each) => `${each.id} at ${each.nodes.map((node) => node.target)}`)",
        [{"include": [within], "exclude": [_MORE_OF_THE_SAME]}, options or {}],
    )
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return [*found, f"scrolls sideways by {overflow}px"] if overflow > 0 else list(found)


def problems_in_forms(
    page: Page, name: str, forms: tuple[Form, ...], *, colours: bool = True
) -> list[str]:
    """What is wrong with a page in these widths and schemes, without loading it again.

    Its structure is looked at in each width, its colours on a desk and on a phone in each scheme
    that is asked for. With SCREENSHOTS set to a folder, a picture of each form is left there.
    """
    wrong: list[str] = []
    widths: set[int] = set()
    page.evaluate("document.fonts.ready.then(() => true)")
    for width, scheme in _PICTURED if os.environ.get("SCREENSHOTS") else forms:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        where = f"{name} {width} {scheme}"
        picture(page, where)
        has_colours = colours and width != _TABLET
        if width not in widths:
            widths.add(width)
            found = problems_of(page, {} if has_colours else _NO_COLOURS)
        else:
            found = problems_of(page, _ONLY_COLOURS) if has_colours else []
        wrong += [f"{where}: {problem}" for problem in found]
    return wrong


def picture(page: Page, name: str) -> None:
    """Leave a picture when somebody wants to look."""
    if folder := os.environ.get("SCREENSHOTS"):
        file = Path(folder) / f"{name.replace(' ', '-')}.png"
        page.screenshot(path=file, full_page=True)


def look_at(
    browser: Browser,
    client: Client,
    pages: dict[str, str],
    *,
    foreign: dict[str, str] | None = None,
) -> None:
    """Open each page, on a desk and on a phone in the dark, and report whatever is wrong."""
    wrong: list[str] = []
    with visit(browser, client) as site:
        site.foreign.update(foreign or {})
        for name, path in pages.items():
            page = site.open(path)
            assert page.url.split("?")[0].endswith(path.split("?")[0]), f"{name} led elsewhere"
            wrong += problems_in_forms(page, name, TWO_FORMS)
            wrong += [f"{name}: {complaint}" for complaint in site.complaints]
            site.complaints.clear()
    assert not wrong, "\n".join(wrong)
