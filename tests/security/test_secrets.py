"""No key, no signing secret and no card number where somebody may read it.

The watch over the whole suite (tests/secrets_watch.py) is itself held to account here: it would see
each kind of secret in an answer, in a log and in the database.
"""

import logging
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.utils import timezone

from accounts import api_keys
from accounts.models import ApiKey, AuditEvent
from tests.secrets_watch import (
    KEYS,
    answers_watched,
    logs_watched,
    secrets_in,
    secrets_in_the_database,
)

ROOT = Path(__file__).resolve().parents[2]
#: Made of pieces: this file must not hold what it looks for.
KEY = "bp_" + "0123456789" + "_" + "c0ffee" * 6 + "c0de"
SECRETS = [
    KEY,
    "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "rk_" + "test_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "whsec_" + "dGhpcyBpcyBub3QgYSBzZWNyZXQ=",
    "4242" * 4,
    " ".join(["4242"] * 4),
    "-".join(["5555", "5555", "5555", "4444"]),
    "3782" + "822463" + "10005",
]
HARMLESS = [
    "bp_0123456789_…",
    "pk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "Visa •••• 4242",
    "4242" * 3 + "4241",  # the last digit is wrong
    "1764143999123456",
    "waits 0.4592" + "4594" + "8263" + "5103 seconds",
    "whsec_",
    "9" + "4242" * 4,
]
#: An example of the Standard Webhooks specification, in words for whoever decodes it.
EXAMPLES = {"whsec_" + "dGVuIG1pbnV0ZXMsIHRocmVlIHRlcm1pbmFscw=="}


# The watch sees -------------------------------------------------------------------------------
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_seen_within_a_text(secret: str) -> None:
    text = f'{{"event": "charged", "with": "{secret}", "at": 1764143999}}'
    assert secrets_in(text.encode()) == {secret}


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_none_is_not_seen(text: str) -> None:
    assert secrets_in(f'"{text}"'.encode()) == set()


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_seen_in_a_log_and_in_a_traceback(secret: str) -> None:
    with logs_watched() as watch:
        logging.getLogger("accounts.example").warning("card_refused: %s", secret)
        logged = set(watch.found)
        watch.found.clear()
        try:
            raise ValueError(secret)
        except ValueError:
            logging.getLogger("accounts.example").exception("It failed.")
    assert logged == watch.found == {f"{secret} (logged by accounts.example)"}
    for handler in logging.getLogger().handlers:  # the watch of the whole run has seen it, too
        getattr(handler, "found", set()).difference_update(logged)


def show(request: HttpRequest) -> HttpResponse:
    """A page with a key on it."""
    return HttpResponse(f"<p>Your key: {KEY}</p>")


urlpatterns = [path("somewhere/", show), path("billing/settings/api-keys/new/", show)]


@override_settings(ROOT_URLCONF=__name__)
def test_a_key_on_a_page_fails_the_test_but_where_it_is_made() -> None:
    with answers_watched():
        with pytest.raises(AssertionError, match="/somewhere/ shows"):
            Client().get("/somewhere/")
        assert Client().get("/billing/settings/api-keys/new/").status_code == 200


@pytest.mark.django_db
def test_secrets_are_seen_in_the_database_though_they_were_rolled_back() -> None:
    """In a table that is gone with this test, so that the watch of the whole run finds nothing."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE letters (said text)")
        before = transaction.savepoint()
        for said in (*SECRETS, *HARMLESS):
            cursor.execute("INSERT INTO letters VALUES (%s)", [f"Said on the phone: {said}."])
        transaction.savepoint_rollback(before)
        assert secrets_in_the_database() == set(SECRETS)


# Keys of the API ------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_key_is_kept_as_a_hash_and_returned_once() -> None:
    key, token = api_keys.create(name="Platform", now=timezone.now())
    _, _, secret = token.split("_")
    row = ApiKey.objects.filter(pk=key.pk).values().get()
    trail = AuditEvent.objects.values().get(action="api_key_created")
    for kept in (row, trail, repr(key), str(vars(key))):
        assert secret not in str(kept)
    assert re.fullmatch(r"[0-9a-f]{64}", row["secret_hash"])
    assert api_keys.verify(token=token[:-1] + "x", now=timezone.now()) is None


# The files and their past ---------------------------------------------------------------------
def test_no_file_of_the_project_and_none_that_it_had_holds_a_key() -> None:
    """A key that was once committed is known to whoever has a copy, whatever came later."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("This is no repository.")
    written = subprocess.run(
        [git, "log", "-p", "--unified=0", "--no-color", "--no-textconv", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    more = (
        rb"|-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[0-9A-Za-z]{36}"
        rb"|\bxox[abprs]-[0-9A-Za-z-]{10,}|\bAIza[0-9A-Za-z_-]{35}\b"
    )
    found = {match[0].decode() for match in re.finditer(KEYS + more, written)}
    assert found - EXAMPLES == set()
