"""What a browser is told of every answer, by a server with the settings of production."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from billing_portal.dashboard.tests import scenes
from billing_portal.tests.test_settings import PRODUCTION, start
from tests.security.site_map import addresses

if TYPE_CHECKING:
    from conftest import Sandbox

ASK = """
import json, django
from django.conf import settings
django.setup()
settings.STORAGES["staticfiles"]["BACKEND"] = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
)
from django.test import Client
client = Client(headers={"host": "billing.example.com"}, raise_request_exception=False)
asked = {}
for path in ("/accounts/login/", "/billing/", "/admin/", "/api/docs/", "/api/v1/plans/",
             "/api/schema/", "/healthz", "/nothing/", "/accounts/password/reset/"):
    for secure in (True, False):
        answer = client.get(path, secure=secure)
        asked[f"{path} {secure}"] = {
            "status": answer.status_code,
            "headers": dict(answer.headers),
            "cookies": {
                name: {key: value for key, value in cookie.items() if value}
                for name, cookie in answer.cookies.items()
            },
        }
asked["upgraded"] = client.get(
    "/accounts/login/", headers={"x-forwarded-proto": "https"}
).status_code
asked["settings"] = {
    name: getattr(settings, name)
    for name in dir(settings)
    if name.startswith(("SESSION_", "CSRF_", "SECURE_", "LANGUAGE_COOKIE")) and name != "SECRET_KEY"
}
print(json.dumps(asked, default=str))
"""


@pytest.fixture(scope="module")
def production() -> dict[str, Any]:
    environment = PRODUCTION | {"DJANGO_SETTINGS_MODULE": "billing_portal.settings"}
    done = start(ASK, environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def secure_answers(production: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {
        name: answer["headers"] for name, answer in production.items() if name.endswith(" True")
    }


def test_every_answer_is_nosniff_shown_in_no_frame_and_tells_nobody_where_one_was(
    production: dict[str, Any],
) -> None:
    for name, headers in secure_answers(production).items():
        assert headers["X-Content-Type-Options"] == "nosniff", name
        assert headers["X-Frame-Options"] == "DENY", name
        assert headers["Referrer-Policy"] == "same-origin", name
        if not name.startswith("/api/docs/"):  # its library's own: nobody signs in there
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin", name
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], name
        assert "Server" not in headers, name


def test_browsers_speak_https_only_for_a_year(production: dict[str, Any]) -> None:
    for name, headers in secure_answers(production).items():
        hsts = "max-age=31536000; includeSubDomains; preload"
        assert headers["Strict-Transport-Security"] == hsts, name
    for name, answer in production.items():
        if name.endswith(" False") and not name.startswith("/healthz"):
            assert answer["status"] == 301, name
            assert answer["headers"]["Location"].startswith("https://billing.example.com/")
            assert answer["cookies"] == {}, name
    assert production["upgraded"] == 200, "the proxy says how the browser came"


def test_pages_run_no_script_but_ours_and_stripes(production: dict[str, Any]) -> None:
    policy = production["/accounts/login/ True"]["headers"]["Content-Security-Policy"]
    directives = {part.split()[0]: set(part.split()[1:]) for part in policy.split("; ")}
    stripe = {"https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com"}
    assert directives["script-src"] == {"'self'", *stripe}
    assert directives["default-src"] == directives["style-src"] == {"'self'"}
    assert directives["base-uri"] == {"'self'"}
    assert directives["object-src"] == directives["frame-ancestors"] == {"'none'"}
    assert directives["form-action"] == {"'self'", "https://checkout.stripe.com"}
    assert "unsafe" not in policy


def test_cookies_are_of_this_host_over_https_and_no_script_reads_the_session(
    production: dict[str, Any],
) -> None:
    cookies = production["/accounts/login/ True"]["cookies"]
    assert cookies.keys() == {"__Host-csrftoken"}
    token = cookies["__Host-csrftoken"]
    assert (token["secure"], token["samesite"], token["path"]) == (True, "Lax", "/")
    assert "domain" not in token
    settings = production["settings"]
    assert settings["SESSION_COOKIE_NAME"] == "__Host-sessionid"
    assert settings["SESSION_COOKIE_SECURE"] is settings["SESSION_COOKIE_HTTPONLY"] is True
    assert settings["SESSION_COOKIE_SAMESITE"] == "Lax"
    assert settings["LANGUAGE_COOKIE_SECURE"] is settings["LANGUAGE_COOKIE_HTTPONLY"] is True
    assert (settings["SESSION_COOKIE_DOMAIN"], settings["SESSION_COOKIE_PATH"]) == (None, "/")
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://billing.example.com"]


def test_no_answer_is_kept_by_a_browser_or_a_proxy(production: dict[str, Any]) -> None:
    for name, headers in secure_answers(production).items():
        assert "no-store" in headers["Cache-Control"], name


@pytest.mark.django_db
def test_what_one_person_was_shown_is_not_there_for_the_next(sandbox: "Sandbox") -> None:
    """Every page of the dashboard and of signing in, the files and what a library shows, too."""
    owner = scenes.make_member(scenes.make_company(balance="50"))
    client = Client()
    client.force_login(owner)
    client.post("/accounts/reauthenticate/", {"password": scenes.PASSWORD})
    kept = []
    for address in addresses():
        if address.route.startswith(("billing/", "accounts/")):
            answer = client.get(address.path(key="phone_number", slug="growth"))
            if "no-store" not in answer.headers.get("Cache-Control", ""):
                kept.append(address.name)
    assert kept == []
