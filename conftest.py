"""What all tests share: a real sandbox Stripe; transactional tests beside append-only tables."""

import gc
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management.commands import flush as flush_command
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from pytest_django import DjangoDbBlocker, Settings

ROOT = Path(__file__).resolve().parent


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was loaded and collected, which stays until the end.

    How often it looks at the rest is left alone: connections of threads that ended wait for it.
    """
    gc.collect()
    gc.freeze()


#: What migrations left there and no test changes: emptied, it would all be made anew each time.
KEPT_TABLES = {
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
}


@pytest.fixture(scope="session", autouse=True)
def _flush_append_only_tables() -> Iterator[None]:
    """Let Django empty the tables after a transactional test: our triggers refuse TRUNCATE.

    As a replica the session runs no triggers; only the flush between tests does this. Rows are
    deleted, for TRUNCATE makes new files for each table and each index, hundreds for every test.
    """
    original = DatabaseOperations.execute_sql_flush

    def delete_rows(
        self: DatabaseOperations, style: Any, tables: Iterable[str], **options: bool
    ) -> list[str]:
        emptied = (self.quote_name(table) for table in tables if table not in KEPT_TABLES)
        return [" ".join(f"DELETE FROM {table};" for table in emptied)]

    def flush(self: DatabaseOperations, sql_list: list[str]) -> None:
        as_replica = ["SET session_replication_role = replica;"]
        as_before = ["SET session_replication_role = DEFAULT;"]
        original(self, [*as_replica, *sql_list, *as_before])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", delete_rows)
        patch.setattr(DatabaseOperations, "execute_sql_flush", flush)
        # It would make the kept tables' rows anew.
        patch.setattr(flush_command, "emit_post_migrate_signal", lambda *args, **options: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_secret_is_shown_or_logged() -> Iterator[None]:
    """No answer shows a key but the one that makes it, and no log has one, whatever tests do."""
    from tests.secrets_watch import answers_watched, logs_watched

    with answers_watched(), logs_watched() as logs:
        yield
    assert not logs.found


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_keepdb: bool, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Have nobody wait for the disk at a commit: tests end processes, not the server's machine.

    Before the test database is dropped, end the sessions that are still in it: a live server's
    thread may still be answering the last request of a browser that has gone. Before that, look
    for what must not be in it.
    """
    from tests.secrets_watch import secrets_in_the_database

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        name = cursor.connection.info.dbname
        cursor.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
    yield
    with django_db_blocker.unblock():
        found = secrets_in_the_database()
        assert not found, f"The tests' database has {found}"
        if django_db_keepdb:
            connection.close()
            return
        name = connection.settings_dict["NAME"]
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        with connection._nodb_cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )


class Sandbox:
    """The sandbox Stripe's process, and its control calls (see stripe_sandbox/README.md)."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """POST to the sandbox's control API and return its answer."""
        answer = requests.post(f"{self.url}/_sandbox/{path}", json=body or {}, timeout=20)
        answer.raise_for_status()
        return dict(answer.json())

    def confirm_setup(self, setup_intent_id: str, payment_method: str = "pm_card_visa") -> None:
        """Confirm a SetupIntent, as the browser does."""
        self.control(f"setup_intents/{setup_intent_id}/confirm", {"payment_method": payment_method})

    def fail_next(self, **fault: Any) -> None:
        """Make the next matching request go wrong: `action="drop_connection"`, `status=500`, …"""
        self.control("next", fault)

    def fail_nothing(self) -> None:
        """Forget what was to go wrong and has not."""
        requests.delete(f"{self.url}/_sandbox/next", timeout=20).raise_for_status()


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Start the sandbox Stripe on a free port, for the whole run."""
    port = free_port()
    log = (tmp_path_factory.mktemp("sandbox") / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "stripe_sandbox", "--port", str(port), "--data-dir",
         str(tmp_path_factory.mktemp("sandbox-data"))],
        cwd=ROOT,
        stdout=log,
        stderr=log,
    )  # fmt: skip
    sandbox = Sandbox(f"http://127.0.0.1:{port}")
    deadline = time.monotonic() + 60
    while True:
        try:
            requests.get(f"{sandbox.url}/_sandbox/health", timeout=1).raise_for_status()
            break
        except requests.RequestException:
            if time.monotonic() > deadline or process.poll() is not None:
                process.kill()
                pytest.fail(f"The sandbox Stripe did not start; see {log.name}")
            time.sleep(0.05)
    yield sandbox
    process.terminate()
    process.wait(timeout=10)
    log.close()


@pytest.fixture
def stripe_requests() -> Iterator[Any]:
    """What the portal asks of Stripe in a test; each request is held against the SDK's types."""
    from accounts.tests.stripe_contract import checked

    with checked() as requests:
        yield requests


@pytest.fixture
def sandbox(
    sandbox_process: Sandbox,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    stripe_requests: Any,
) -> Iterator[Sandbox]:
    """An empty sandbox Stripe that the portal and dj-stripe talk to."""
    import stripe

    from accounts import gateway

    monkeypatch.setattr(stripe, "api_base", sandbox_process.url)
    # The SDK asks again at once, so that a lost answer costs a test no seconds.
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)

    sandbox_process.control("reset")
    # A page may load from the sandbox what the settings let it load from a laptop's.
    settings.CONTENT_SECURITY_POLICY = {
        "DIRECTIVES": {
            directive: [
                sandbox_process.url if source == settings.STRIPE_SANDBOX_URL else source
                for source in sources
            ]
            for directive, sources in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"].items()
        }
    }
    settings.STRIPE_API_BASE = sandbox_process.url
    settings.STRIPE_SANDBOX_URL = sandbox_process.url
    settings.STRIPE_JS_URL = f"{sandbox_process.url}/v3/"
    gateway.client.cache_clear()
    yield sandbox_process
    gateway.client.cache_clear()


@pytest.fixture
def add_card(sandbox: Sandbox) -> Callable[..., Any]:
    """Add a card to an account through the real service and the sandbox."""
    from accounts import cards
    from accounts.tests.factories import NOW

    def add(account: Any, payment_method: str = "pm_card_visa", now: Any = NOW) -> Any:
        setup = cards.begin(account=account)
        sandbox.confirm_setup(setup.id, payment_method)
        return cards.add(account=account, setup_intent_id=setup.id, by=None, now=now)

    return add


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where Chromium is. Without one: loudly skipped on a laptop, a failure with CI=true."""
    from tests import chromium

    path = chromium.find()
    if path is None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(chromium.MISSING)
        pytest.skip(chromium.MISSING)
    return path
