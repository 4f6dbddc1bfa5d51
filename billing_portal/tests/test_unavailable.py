"""While the database is away: 503 and when to try again, never 500, and one request for each."""

import re
from typing import TYPE_CHECKING

import pytest
import requests
from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from pytest_django.live_server_helper import LiveServer
from redis.exceptions import ConnectionError as RedisAway

from accounts import api_keys, webhook_endpoint
from billing_portal import health, unavailable
from billing_portal.dashboard.tests.scenes import make_company, make_member

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


def cut_off_every_connection() -> None:
    """As a restart of the database does: whoever waits in the pool finds out when it is used."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        [cut_off] = cursor.fetchone()
    assert cut_off > 0


@pytest.fixture
def served(live_server: LiveServer) -> str:
    """The portal over HTTP, with connections of its own to the database in its pool."""
    answer = requests.get(f"{live_server.url}/readyz", timeout=20)
    assert answer.json()["parts"]["database"] == "ok"
    return live_server.url


def test_a_call_whose_connection_was_cut_off_is_503_and_the_next_one_works(served: str) -> None:
    _, token = api_keys.create(name="platform", now=timezone.now())
    headers = {"Authorization": f"Bearer {token}"}

    cut_off_every_connection()
    answer = requests.get(f"{served}/api/v1/plans/", headers=headers, timeout=20)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json() == {
        "code": "unavailable",
        "detail": "The portal can't do this just now. Send the request again in a moment.",
        "fields": {},
    }
    assert requests.get(f"{served}/api/v1/plans/", headers=headers, timeout=20).status_code == 200


def test_a_page_says_so_in_the_readers_language(served: str) -> None:
    client = Client()
    client.force_login(
        make_member(make_company()), backend="django.contrib.auth.backends.ModelBackend"
    )
    cookies = {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}
    arabic = {"Accept-Language": "ar"}

    cut_off_every_connection()
    page = requests.get(f"{served}/billing/", cookies=cookies, headers=arabic, timeout=20)

    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert page.headers["Cache-Control"] == "no-store"
    assert "Content-Security-Policy" in page.headers
    assert '<html lang="ar" dir="rtl">' in page.text
    assert "503" in page.text
    assert requests.get(f"{served}/billing/", cookies=cookies, timeout=20).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "says", "buttons"),
    [
        (
            "get",
            "/billing/usage/?days=7",
            "look at Billing History",
            ["/billing/usage/?days=7", "/billing/history/"],
        ),
        # What was sent is not sent again by a link.
        ("post", "/billing/top-up/", "look at Billing History", ["/billing/history/"]),
        ("get", "/admin/wallet/", "look first whether it is done", ["/admin/wallet/", "/admin/"]),
        ("get", "//evil.test/", "look first whether", ["/%2Fevil.test/", "/billing/"]),
    ],
)
def test_the_page_leads_back_and_needs_nobody(
    rf: RequestFactory,
    django_assert_num_queries: DjangoAssertNumQueries,
    method: str,
    path: str,
    says: str,
    buttons: list[str],
) -> None:
    """Neither the database nor the list of the static files' names, nor what the CSP refuses."""
    request = getattr(rf, method)("/")
    request.path, _, request.META["QUERY_STRING"] = path.partition("?")
    manifest = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    with django_assert_num_queries(0), override_settings(STORAGES={"staticfiles": manifest}):
        page = unavailable._page(request).content.decode()

    assert says in page
    assert re.findall(r'class="button [^"]*" href="([^"]*)"', page) == buttons
    assert ("Try again" in page) == (method == "get")
    for address in re.findall(r'(?:href|src)="/static/([^"]*)"', page):
        assert finders.find(address), address
    assert not re.search(r"<script|<style| style=| on\w+=", page)


@pytest.mark.parametrize("debug", [False, True])
def test_one_request_waits_for_the_database_once(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, debug: bool
) -> None:
    """Also on a laptop, where Django's own page would look into what failed, and wait each time."""
    settings.DEBUG = debug
    waited: list[int] = []

    def away(self: object) -> None:
        waited.append(1)
        raise OperationalError("couldn't get a connection after 10.00 sec")

    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = "x" * 32
    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "ensure_connection", away)
        patch.setattr(BaseDatabaseWrapper, "cursor", away)
        answers = [client.get(path).status_code for path in ("/billing/", "/admin/")]

    assert (answers, len(waited)) == ([503, 503], 2)


def test_stripe_sends_a_webhook_again(served: str, sandbox: "Sandbox") -> None:
    webhook_endpoint.register_endpoint(portal_url=served)
    endpoint = webhook_endpoint.WebhookEndpoint.objects.get()

    cut_off_every_connection()
    address = f"{served}/stripe/webhook/{endpoint.djstripe_uuid}/"
    answer = requests.post(address, json={"livemode": False}, timeout=20)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert requests.post(address, json={"livemode": False}, timeout=20).status_code == 400


@pytest.mark.parametrize(("error", "status"), [(RedisAway("away"), 503), (ValueError("bug"), 500)])
def test_a_cache_that_is_away_passes_and_a_fault_of_ours_does_not(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def broken(request: HttpRequest) -> str:
        raise error

    monkeypatch.setattr(health, "_database", lambda: broken(HttpRequest()))
    answer = Client(raise_request_exception=False).get("/readyz")

    assert answer.status_code == status
