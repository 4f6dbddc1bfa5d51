"""A real Chromium whose requests are answered by Django's test client.

No server and no second database connection: a page sees exactly what the test made, inside the
test's own transaction, with the headers (and so the Content-Security-Policy) of the real site.
"""

import contextvars
import mimetypes
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from django.contrib.staticfiles import finders
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Route

#: Chromium trusts localhost as it trusts https.
ORIGIN = "http://localhost"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """The portal as one signed-in customer's browser sees it."""

    page: Page
    client: Client
    complaints: list[str] = field(default_factory=list)
    foreign: dict[str, str] = field(default_factory=dict)
    posted: list[str] = field(default_factory=list)

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
        body = b"".join(response) if response.streaming else response.content
        route.fulfill(status=response.status_code, headers=dict(response.headers), body=body)


def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium when it is there, else Playwright's own."""
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)


@contextmanager
def visit(
    browser: Browser, client: Client, *, width: int = 1440, dark: bool = False, script: bool = True
) -> Iterator[Site]:
    """Open a window of the browser on the portal."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
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
