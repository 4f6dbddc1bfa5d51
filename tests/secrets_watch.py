"""What must be read nowhere: a key, a signing secret, the number of a card.

The whole suite is watched (conftest.py): every answer that a test client gets, every line that is
logged, and at the end the files of the test database, in which PostgreSQL keeps what was written
and rolled back, too, until it sweeps up.
"""

import logging
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test.client import ClientHandler

#: A key of our API, a secret or restricted key of Stripe's, what webhooks are signed with.
KEYS = (
    rb"bp_[0-9a-f]{10}_[0-9a-f]{40}"
    rb"|(sk|rk)_(live|test)_[0-9A-Za-z]{16,}"
    rb"|whsec_[0-9A-Za-z+/=]{16,}"
)
#: Visa, Mastercard, American Express: as somebody types them. The last digit proves the others.
#: The places of a fraction are none: one in ten of the delays that chance makes would be a card.
CARDS = (
    rb"(?<![0-9]\.)\b"
    rb"((4[0-9]{3}|5[1-5][0-9]{2})([ -]?)[0-9]{4}\3[0-9]{4}\3[0-9]{4}|3[47][0-9]{13})\b"
)
#: The same for grep, which knows no group that was found before, with what is around it.
_MAY_BE_A_CARD = rb"(^|[^0-9A-Za-z.]|[^0-9]\.)[345][0-9]{3}([ -]?[0-9]{3,6}){2,3}($|[^0-9A-Za-z])"
_KEY, _CARD = re.compile(KEYS), re.compile(CARDS)
#: What each of them contains: looked for first, for most texts have none.
_HINTS = (b"bp_", b"sk_", b"rk_", b"whsec_")

#: The two answers that show a key, once: the page that made it.
SHOW_A_KEY = re.compile(r"/billing/settings/api-keys/new/|/admin/accounts/apikey/(new-key|add)/")


def secrets_in(text: bytes) -> set[str]:
    """Return the keys and card numbers in a text."""
    found = {match[0] for match in _KEY.finditer(text)} if _hinted(text) else set()
    found |= {match[0] for match in _CARD.finditer(text) if _is_a_card(match[0])}
    return {secret.decode() for secret in found}


def keys_in(text: bytes) -> set[str]:
    """Return the keys in a text; of pages, which are many."""
    return {match[0].decode() for match in _KEY.finditer(text)} if _hinted(text) else set()


def _hinted(text: bytes) -> bool:
    return any(hint in text for hint in _HINTS)


def _is_a_card(number: bytes) -> bool:
    """Whether the last digit is the one that the others ask for."""
    digits = [int(digit) for digit in re.sub(rb"[^0-9]", b"", number).decode()][::-1]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


class LogWatch(logging.Handler):
    """Hears every line that is logged, as production writes it."""

    def __init__(self) -> None:
        """Hear everything."""
        super().__init__()
        self.found: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Remember what must not be in it, and who said it."""
        said = self.format(record).encode(errors="replace")
        self.found |= {f"{secret} (logged by {record.name})" for secret in secrets_in(said)}


@contextmanager
def logs_watched() -> Iterator[LogWatch]:
    """Watch what this process logs."""
    watch, root = LogWatch(), logging.getLogger()
    [written] = [each for each in root.handlers if type(each) is logging.StreamHandler][:1]
    watch.setFormatter(written.formatter)
    root.addHandler(watch)
    yield watch
    root.removeHandler(watch)


@contextmanager
def answers_watched() -> Iterator[None]:
    """Fail the test whose client is answered with a key, wherever that is not made and shown."""
    answer_to = ClientHandler.__call__

    def watched(self: ClientHandler, environ: Any) -> Any:
        answer: Any = answer_to(self, environ)
        if not getattr(answer, "streaming", False):
            address = urlsplit(environ["PATH_INFO"]).path
            found = keys_in(answer.content)
            assert not found or SHOW_A_KEY.match(address), f"{address} shows {found}"
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClientHandler, "__call__", watched)
        yield


def secrets_in_the_database() -> set[str]:
    """Return what must not be in the files of this process's test database.

    A PostgreSQL of another machine keeps its files to itself: then nothing is looked at.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('data_directory'), oid FROM pg_database"
            " WHERE datname = current_database()"
        )
        folder, database = cursor.fetchone()
        files = Path(folder) / "base" / str(database)
        if not files.is_dir():
            return set()
        cursor.execute("CHECKPOINT")
    found: set[str] = set()
    for pattern in (KEYS, _MAY_BE_A_CARD):
        search = ["grep", "--text", "--recursive", "--only-matching", "--no-filename", "-E"]
        done = subprocess.run(
            [*search, pattern.decode(), "--", files],
            capture_output=True,
            env={"LC_ALL": "C"},
            check=False,
        )
        for line in done.stdout.splitlines():
            found |= secrets_in(line)
    return found
