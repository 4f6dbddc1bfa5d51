"""Fixtures: one sandbox process for all tests, emptied before each; a browser for its pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import chromium

from .harness import Receiver, Sandbox


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    found = Sandbox(tmp_path_factory.mktemp("sandbox"))
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.control("reset")
    return running


@pytest.fixture
def client(sandbox: Sandbox) -> Any:
    return sandbox.client


@pytest.fixture
def customer(client: Any) -> Any:
    return client.customers.create({"email": "owner@example.com", "name": "Owner"})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


@pytest.fixture(scope="package")
def browser(chromium_path: str) -> Iterator[Any]:
    with chromium.running(chromium_path) as browser:
        yield browser


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that fails the test on any script error or policy violation."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    made = context.new_page()
    made.set_default_timeout(8000)
    troubles: list[str] = []
    made.on("pageerror", lambda error: troubles.append(str(error)))
    made.on(
        "console",
        lambda message: (
            troubles.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    made.add_init_script(
        "document.addEventListener('securitypolicyviolation', e => console.error("
        "'Content Security Policy: ' + e.violatedDirective))"
    )
    yield made
    context.close()
    assert troubles == []
