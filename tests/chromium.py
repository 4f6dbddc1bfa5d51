"""Where a Chromium is, and how the browser tests and the smoke test start it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: The first draws the same pages without a desktop's browser around them, in less time.
_NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
MISSING = (
    "NO BROWSER: no Chromium was found, so nothing was tried in a browser. Install one "
    "(`apt install chromium`, or `.venv/bin/playwright install chromium`), "
    "or set CHROMIUM_PATH."
)


def find() -> str | None:
    """Return the path of CHROMIUM_PATH, the system's Chromium or Playwright's own, or None."""
    chosen = os.environ.get("CHROMIUM_PATH", "")
    if chosen:
        return shutil.which(chosen)
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return found
    if _MAC.exists():
        return str(_MAC)
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@contextmanager
def running(path: str) -> Iterator[Browser]:
    """Run the Chromium at this path, beside which the ORM goes on working."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread; the ORM would refuse to work beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
