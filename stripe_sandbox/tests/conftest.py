"""Fixtures: one sandbox process for all tests, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .harness import Receiver, Sandbox


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    found = Sandbox(tmp_path_factory.mktemp("sandbox"))
    found.start()
    yield found
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
