"""The settings as a new process reads them from its environment."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "DEBUG": "0",
    "SECRET_KEY": "k3y-" * 20,
    "ALLOWED_HOSTS": "billing.example.com, billing.example.org",
    "PORTAL_URL": "https://billing.example.com",
    "DATABASE_URL": "postgresql://portal:secret@db.example:5433/portal?sslmode=require",
    "BROKER_URL": "redis://redis.example:6379/0",
    "CACHE_URL": "redis://redis.example:6379/1",
    "STRIPE_SECRET_KEY": "sk_live_" + "x" * 24,
    "STRIPE_PUBLISHABLE_KEY": "pk_live_" + "x" * 24,
    "EMAIL_URL": "smtp+tls://user:password@smtp.example:587",
}
REQUIRED = sorted(PRODUCTION.keys() - {"DEBUG", "CACHE_URL"})
SHOW = """
import json
from billing_portal import settings
shown = {name: value for name, value in vars(settings).items() if name.isupper()}
print(json.dumps(shown, default=lambda value: type(value).__name__))
"""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not pytest's own: each session that starts closes pytest's folder to other users again,
    and as root PostgreSQL runs as one."""
    with tempfile.TemporaryDirectory(prefix="billing-portal-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def start(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", REQUIRED)
def test_production_does_not_start_without(name: str) -> None:
    environment = {key: value for key, value in PRODUCTION.items() if key != name}

    done = start("import billing_portal.settings", environment)

    assert done.returncode != 0
    assert f"ImproperlyConfigured: {name} is not set." in done.stderr


def test_manage_py_says_what_is_missing_and_nothing_else() -> None:
    done = start("import manage, sys; sys.argv[1:] = ['check']; manage.main()", {"DEBUG": "0"})

    assert done.returncode == 1
    assert done.stderr.startswith("SECRET_KEY is not set.")
    assert done.stderr.count("\n") == 1


def test_a_command_beside_the_demo_speaks_of_its_addresses(tmp_path: Path) -> None:
    addresses = {"url": "http://127.0.0.1:8123", "sandbox_url": "http://127.0.0.1:12345"}
    (tmp_path / "demo.json").write_text(json.dumps(addresses))
    show = "from billing_portal.settings import *; print(PORTAL_URL, STRIPE_SANDBOX_URL)"
    laptop = {"DEBUG": "1", "DATA_DIR": str(tmp_path), "DATABASE_URL": PRODUCTION["DATABASE_URL"]}

    assert start(show, laptop).stdout.split() == list(addresses.values())
    told = start(show, laptop | {"PORT": "9000", "STRIPE_SANDBOX_URL": "http://127.0.0.1:1"})
    assert told.stdout.split() == ["http://127.0.0.1:9000", "http://127.0.0.1:1"]
    (tmp_path / "demo.json").unlink()
    assert start(show, laptop).stdout.split() == ["http://127.0.0.1:8000", "http://127.0.0.1:12111"]


def test_one_server_variable_is_enough_to_be_a_server() -> None:
    done = start("import billing_portal.settings", {"SECRET_KEY": "x" * 60})

    assert "ALLOWED_HOSTS is not set" in done.stderr


def test_production_settings() -> None:
    shown = json.loads(start(SHOW, PRODUCTION).stdout)

    assert shown["DEBUG"] is False
    assert shown["ALLOWED_HOSTS"] == ["billing.example.com", "billing.example.org"]
    assert shown["DATABASES"]["default"]["HOST"] == "db.example"
    assert shown["DATABASES"]["default"]["OPTIONS"]["sslmode"] == "require"
    assert shown["STRIPE_SANDBOX_URL"] == ""
    assert shown["STRIPE_API_BASE"] == "https://api.stripe.com"
    assert shown["STRIPE_LIVE_MODE"] is True
    assert shown["MAILBOX_DIR"] is None
    assert shown["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert shown["SESSION_COOKIE_SECURE"] is True
    assert shown["SECURE_SSL_REDIRECT"] is True
    assert "127.0.0.1" not in json.dumps(shown["CONTENT_SECURITY_POLICY"])


def test_the_sandbox_stripe_is_never_used_in_production() -> None:
    shown = json.loads(
        start(SHOW, {**PRODUCTION, "STRIPE_SANDBOX_URL": "http://127.0.0.1:12111"}).stdout
    )

    assert shown["STRIPE_API_BASE"] == "https://api.stripe.com"


def test_a_laptop_needs_nothing_but_a_folder(tmp_path: Path) -> None:
    done = start(SHOW, {"DATA_DIR": str(tmp_path / "data")})
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)

    assert shown["DEBUG"] is True
    assert shown["DATABASES"]["default"]["OPTIONS"]["host"].endswith("/postgres")
    assert shown["CELERY_BROKER_URL"] == "filesystem://"
    assert shown["EMAIL_BACKEND"] == "billing_portal.mailbox.MailboxBackend"
    assert shown["STRIPE_SANDBOX_URL"] == "http://127.0.0.1:12111"
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize("value", ["0,385", "NaN", "Infinity", ""])
def test_a_number_that_is_none_is_named(value: str) -> None:
    done = start("import billing_portal.settings", {**PRODUCTION, "USD_TO_OMR": value})

    assert f"ImproperlyConfigured: USD_TO_OMR is '{value}'" in done.stderr


@pytest.mark.parametrize("rates", ["OM", "OM=five", "OM=-5", "OM=105", "OM=NaN", "OM=5.125"])
def test_a_tax_rate_that_is_none_is_named(rates: str) -> None:
    done = start("import billing_portal.settings", {**PRODUCTION, "TAX_RATES": rates})

    assert f"ImproperlyConfigured: TAX_RATES has '{rates}'" in done.stderr


@pytest.mark.parametrize(
    "entry",
    [
        "import billing_portal.wsgi",
        "import sys; sys.argv = ['celery', '-A', 'billing_portal', 'worker', '--pool=solo'];"
        "from celery.__main__ import main; main()",
        "import sys; sys.argv = ['celery', '-A', 'billing_portal', 'beat'];"
        "from celery.__main__ import main; main()",
    ],
    ids=["web", "worker", "beat"],
)
def test_no_process_starts_on_wrong_values(entry: str) -> None:
    done = start(entry, {**PRODUCTION, "STRIPE_SECRET_KEY": "sk_test_xyz"})

    assert done.returncode == 1
    assert "The billing portal does not start" in done.stderr
    assert "STRIPE_SECRET_KEY is a test key" in done.stderr


def test_every_variable_is_in_the_deployment_guide() -> None:
    folder = ROOT / "billing_portal"
    names = (
        "environment.py",
        "settings.py",
        "api_settings.py",
        "broker_settings.py",
        "database_settings.py",
        "web_server.py",
    )
    settings = "".join((folder / name).read_text() for name in names)
    guide = (ROOT / "docs" / "deployment.md").read_text()
    table = guide.partition("## Environment variables")[2].partition("\n## ")[0]

    read = set(
        re.findall(
            r'(?:env\.\w+|environ\.get|required|decimal|tax_rates|limits_of_roles)\(\s*"([A-Z_]+)"',
            settings,
        )
    )
    told = set(
        re.findall(
            r"`([A-Z_]+)`",
            "\n".join(line.split("|")[1] for line in table.splitlines() if line.startswith("|")),
        )
    )

    assert read
    assert read <= told
    assert told - read == {"PORT"} - read
