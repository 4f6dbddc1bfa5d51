"""State: JSON objects in one SQLite file, and the transaction each request runs in.

One process-wide lock guards the one connection: requests that change state run one after
another, so a payment is exact however many threads ask for it. Nothing sleeps or talks to the
network while it holds the lock.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import string
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from .errors import Json, missing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    customer TEXT, payment_intent TEXT, charge TEXT, type TEXT, status TEXT,
    body TEXT NOT NULL,
    private TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, created, seq);
CREATE INDEX IF NOT EXISTS objects_by_customer ON objects (customer, kind);
CREATE INDEX IF NOT EXISTS objects_by_payment ON objects (payment_intent, kind);
CREATE INDEX IF NOT EXISTS objects_by_charge ON objects (charge, kind);
CREATE INDEX IF NOT EXISTS open_sessions ON objects (kind, status) WHERE status = 'open';
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, request_id TEXT NOT NULL, created INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL, endpoint TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL, answer TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

TEMPLATES: dict[str, Json] = json.loads(
    (Path(__file__).parent / "templates.json").read_text(encoding="utf-8")
)
_PREFIXES = {
    "balance_transaction": "txn_",
    "charge": "ch_",
    "checkout.session": "cs_test_",
    "customer": "cus_",
    "dispute": "dp_",
    "event": "evt_",
    "payment_intent": "pi_",
    "payment_method": "pm_",
    "refund": "re_",
    "setup_intent": "seti_",
    "webhook_endpoint": "we_",
}
_ALPHABET = string.ascii_letters + string.digits


def random_text(length: int) -> str:
    """Letters and digits, as in Stripe's ids."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


class Tx:
    """One request's view of the state: the objects, the moment, and the events it caused."""

    def __init__(self, connection: sqlite3.Connection, request: Json) -> None:
        self.connection = connection
        self.request = request
        self.public_url: str = request.get("public_url", "")
        self.path: str = request.get("path", "")
        self.publishable: bool = request.get("publishable", False)
        self.now = self._moment()

    def _moment(self) -> int:
        clock = self.setting("clock")
        if clock is None:
            return int(time.time())
        return int(datetime.fromisoformat(str(clock)).timestamp())

    def refresh_clock(self) -> None:
        """Read the moment again, after the virtual clock was set."""
        self.now = self._moment()

    @property
    def today(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    # settings

    def setting(self, name: str, default: Any = None) -> Any:
        row = self.connection.execute(
            "SELECT value FROM settings WHERE name = ?", (name,)
        ).fetchone()
        return default if row is None else json.loads(row[0])

    def set_setting(self, name: str, value: Any) -> None:
        self.connection.execute(
            "INSERT INTO settings VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, json.dumps(value)),
        )

    # objects

    def new(self, kind: str, **values: Any) -> Json:
        """A fresh object with every field its resource has; not stored yet."""
        body = deepcopy(TEMPLATES[kind])
        body["id"] = _PREFIXES[kind] + random_text(58 if kind == "checkout.session" else 24)
        body["created"] = self.now
        body.update(values)
        return body

    def insert(self, body: Json, private: Json | None = None) -> Json:
        self.connection.execute(
            "INSERT INTO objects (id, kind, created, customer, payment_intent, charge, type, "
            "status, body, private) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                body["id"],
                body["object"],
                body["created"],
                *_columns(body),
                json.dumps(body),
                json.dumps(private or {}),
            ),
        )
        return body

    def save(self, body: Json) -> Json:
        self.connection.execute(
            "UPDATE objects SET customer = ?, payment_intent = ?, charge = ?, type = ?, "
            "status = ?, body = ? WHERE id = ?",
            (*_columns(body), json.dumps(body), body["id"]),
        )
        return body

    def get(self, object_id: str) -> Json | None:
        row = self.connection.execute(
            "SELECT body FROM objects WHERE id = ?", (object_id,)
        ).fetchone()
        return None if row is None else cast(Json, json.loads(row[0]))

    def load(self, kind: str, object_id: str, param: str = "id") -> Json:
        """The object, or Stripe's 404."""
        body = self.get(object_id)
        if body is None or body["object"] != kind:
            raise missing(kind, object_id, param)
        return body

    def delete(self, object_id: str) -> None:
        self.connection.execute("DELETE FROM objects WHERE id = ?", (object_id,))

    def private(self, object_id: str) -> Json:
        """What the sandbox remembers beside an object and never shows."""
        row = self.connection.execute(
            "SELECT private FROM objects WHERE id = ?", (object_id,)
        ).fetchone()
        return {} if row is None else cast(Json, json.loads(row[0]))

    def remember(self, object_id: str, **values: Any) -> None:
        merged = {**self.private(object_id), **values}
        self.connection.execute(
            "UPDATE objects SET private = ? WHERE id = ?", (json.dumps(merged), object_id)
        )

    def select(self, where: str, values: tuple[Any, ...], tail: str = "") -> list[Json]:
        """Objects by a condition on the columns, which is ours; the values are bound."""
        query = " ".join(("SELECT body FROM objects WHERE", where, tail))
        rows = self.connection.execute(query, values)
        return [json.loads(row[0]) for row in rows]

    def position(self, object_id: str) -> tuple[int, int] | None:
        """Where an object stands in its list: newest first, then by insertion."""
        row = self.connection.execute(
            "SELECT created, seq FROM objects WHERE id = ?", (object_id,)
        ).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))


def _columns(body: Json) -> tuple[Any, ...]:
    return tuple(
        body.get(name) for name in ("customer", "payment_intent", "charge", "type", "status")
    )


class Store:
    """The file, its one connection and the lock around it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            folder / "sandbox.sqlite3", check_same_thread=False, isolation_level=None
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        self.on_commit: Callable[[], None] = lambda: None

    @contextmanager
    def quiet(self, **request: Any) -> Iterator[Tx]:
        """All or nothing; other requests wait."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Tx(self._connection, request)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def transaction(self, **request: Any) -> Iterator[Tx]:
        """The same, and wake whoever delivers what it queued."""
        with self.quiet(**request) as tx:
            yield tx
        self.on_commit()

    def reset(self) -> None:
        """Forget everything."""
        with self.transaction() as tx:
            tx.connection.execute("DELETE FROM objects")
            tx.connection.execute("DELETE FROM idempotency")
            tx.connection.execute("DELETE FROM deliveries")
            tx.connection.execute("DELETE FROM settings")
