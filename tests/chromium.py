"""Where a Chromium is, for the browser tests and the smoke test."""

import os
import shutil
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
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
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None
