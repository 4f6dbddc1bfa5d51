"""Starts `make demo` as a new user would, looks at it in a real browser, and stops it.

A script, not a test: `python -m tests.smoke`. It needs the tools of requirements-dev.txt and a
Chromium, uses a free port and a new data folder, and leaves nothing running.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page

from tests import chromium
from tests.processes import running

ROOT = Path(__file__).resolve().parent.parent
#: The first start includes the installation and the past months.
FIRST_START_SECONDS = 300
NEXT_START_SECONDS = 60
STOP_SECONDS = 10
#: What of the environment a new user's machine has, too.
KEPT = re.compile(r"PATH|HOME|LANG|TERM|USER|TMPDIR|(PIP|UV|SSL)_.*|.*_(proxy|PROXY)|CI")
#: Chromium tells the page what its policy forbade; the console may not.
LISTEN = """
addEventListener("securitypolicyviolation", event =>
    console.error(`CSP: ${event.violatedDirective} forbids ${event.blockedURI}`));
"""


class SmokeError(Exception):
    """What was seen is not what a user should see."""


def say(text: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(f"smoke: {text}\n")
    sys.stdout.flush()


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(what: str, seconds: float, condition: Callable[[], bool]) -> float:
    """Wait until the condition holds and return how long that took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise SmokeError(f"{what}: still not so after {seconds:.0f} s")
        time.sleep(0.2)
    return time.monotonic() - began


@dataclass
class Demo:
    """A running `make demo`."""

    data_dir: Path
    port: int
    output: Path
    process: subprocess.Popen[bytes] = field(init=False)
    facts: dict[str, Any] = field(init=False)

    def start(self, seconds: float) -> float:
        """Run `make demo` and return how long it took until everything answered."""
        environment = {name: text for name, text in os.environ.items() if KEPT.fullmatch(name)}
        environment |= {"PORT": str(self.port), "DATA_DIR": str(self.data_dir)}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                ["make", "demo"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        facts = self.data_dir / "demo.json"

        def ready() -> bool:
            if self.process.poll() is not None:
                raise SmokeError(f"make demo ended with {self.process.returncode}")
            return facts.exists()

        took = wait_for("make demo", seconds, ready)
        if "[billing_portal.events]" in self.output.read_text():
            raise SmokeError("make demo writes log lines between its steps")
        self.facts = json.loads(facts.read_text())
        return took

    def stop(self, *, as_a_terminal: bool) -> float:
        """Send SIGINT as Ctrl-C or `kill` would, and see that nothing is left."""
        members = running(self.data_dir)
        names = sorted({process.name() for process in members})
        if not any("postgres" in name for name in names):
            raise SmokeError(f"PostgreSQL does not seem to run; there is {names}")
        began = time.monotonic()
        if as_a_terminal:
            os.killpg(self.process.pid, signal.SIGINT)
        else:
            os.kill(self.facts["pid"], signal.SIGINT)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise SmokeError(f"make demo did not stop within {STOP_SECONDS} s") from error
        took = time.monotonic() - began
        # make itself dies of the terminal's signal, whatever its recipe returns.
        allowed = {0, -signal.SIGINT, 2, 130} if as_a_terminal else {0}
        if status not in allowed:
            raise SmokeError(f"make demo ended with {status}")
        wait_for(f"all of {names} gone", 3, lambda: not running(self.data_dir))
        if (self.data_dir / "demo.json").exists():
            raise SmokeError("demo.json is still there")
        return took

    def kill(self) -> None:
        """Leave nothing, whatever happened."""
        for process in running(self.data_dir):
            process.kill()
        if hasattr(self, "process"):
            self.process.kill()


@contextmanager
def browser_page(*, width: int, dark: bool) -> Iterator[tuple[Page, list[str]]]:
    """Open a page of a headless Chromium, and collect what it complains about."""
    path = chromium.find()
    if path is None:
        raise SmokeError(chromium.MISSING)
    complaints: list[str] = []
    with chromium.running(path) as browser:
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        page.add_init_script(LISTEN)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on(
            "console",
            lambda message: (
                complaints.append(f"console: {message.text}") if message.type == "error" else None
            ),
        )
        page.on(
            "response",
            lambda response: (
                complaints.append(f"{response.status}: {response.url}")
                if response.status >= 400
                else None
            ),
        )
        try:
            yield page, complaints
        except BrowserError as error:
            text = page.inner_text("body")[:1000]
            raise SmokeError(f"{error}\n{page.url} shows:\n{text}\n{complaints}") from error
        finally:
            browser.close()


def look(demo: Demo, pictures: Path) -> str:
    """Sign in through the form, see the Overview, and return the balance on it."""
    url, password = demo.facts["url"], demo.facts["password"]
    balance = ""
    for name, width, dark in (("desktop", 1280, False), ("phone", 390, True)):
        with browser_page(width=width, dark=dark) as (page, complaints):
            page.goto(url)
            page.fill("input[name=login]", "owner@demo.test")
            page.fill("input[name=password]", password)
            page.click("form:has(input[name=password]) [type=submit]")
            page.wait_for_url("**/billing/")
            page.wait_for_load_state("networkidle")
            text = page.inner_text("main")
            page.screenshot(path=str(pictures / f"overview-{name}.png"), full_page=True)
            found = re.search(r"[-\u2212]?\$[\d,]+\.\d\d", text)
            if "balance" not in text.lower() or found is None:
                raise SmokeError(f"the Overview shows no balance:\n{text[:500]}")
            if complaints:
                raise SmokeError("the browser complains:\n  " + "\n  ".join(complaints))
            balance = found.group()
    return balance


def ask_api(demo: Demo) -> int:
    """Read the accounts with the API key that was printed, and return how many there are."""
    request = urllib.request.Request(
        f"{demo.facts['url']}/api/v1/accounts/",
        headers={"Authorization": f"Bearer {demo.facts['api_key']}"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        body = json.load(response)
    return len(body["results"])


def check(demo: Demo, pictures: Path) -> None:
    """Go through it all."""
    say(f"make demo took {demo.start(FIRST_START_SECONDS):.1f} s on {demo.facts['url']}")
    say(f"the Overview shows {look(demo, pictures)}; pictures are in {pictures}")
    say(f"the API key reads {ask_api(demo)} accounts")
    say(f"SIGINT stopped everything in {demo.stop(as_a_terminal=False):.1f} s, exit 0")
    before = demo.facts
    say(f"the second start took {demo.start(NEXT_START_SECONDS):.1f} s")
    for name in ("url", "sandbox_url", "password", "api_key"):
        if demo.facts[name] != before[name]:
            raise SmokeError(f"{name} is another after the second start")
    say(f"the Overview shows {look(demo, pictures)}")
    say(f"Ctrl-C stopped everything in {demo.stop(as_a_terminal=True):.1f} s")


def main() -> int:
    """Run it; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.smoke", description=__doc__)
    parser.add_argument("--pictures", type=Path, help="where screenshots go (a new folder)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="billing-portal-smoke-"))
    pictures: Path = options.pictures or folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    demo = Demo(data_dir=folder / "data", port=free_port(), output=folder / "make-demo.log")
    try:
        check(demo, pictures)
    except SmokeError as error:
        say(f"FAILED: {error}")
        if demo.output.exists():
            say("what make demo said:\n" + demo.output.read_text(errors="replace")[-6000:])
        return 1
    finally:
        demo.kill()
    say("all is well")
    return 0


if __name__ == "__main__":
    sys.exit(main())
