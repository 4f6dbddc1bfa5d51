"""Production does not start on settings that are wrong, and says which variable to mend."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from pytest_django import Settings

from accounts import webhook_endpoint
from billing_portal import checks

if TYPE_CHECKING:
    from conftest import Sandbox

LIVE: dict[str, Any] = {
    "DEBUG": False,
    "SECRET_KEY": "k3y-" * 20,
    "ALLOWED_HOSTS": ["billing.example.com"],
    "PORTAL_URL": "https://billing.example.com",
    "METRICS_TOKEN": "",
    "STRIPE_SECRET_KEY": "sk_live_" + "x" * 24,
    "STRIPE_PUBLISHABLE_KEY": "pk_live_" + "x" * 24,
    "STRIPE_LIVE_MODE": True,
    "ALLOW_STRIPE_TEST_MODE": False,
    "CELERY_BROKER_URL": "redis://redis:6379/0",
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}},
    "PLATFORM_WEBHOOK_URL": "https://platform.example.com/webhooks",
    "PLATFORM_WEBHOOK_SECRET": "whsec_" + "c2VjcmV0" * 4,
}
NOBODY_LISTENS = {"PLATFORM_WEBHOOK_URL": "", "PLATFORM_WEBHOOK_SECRET": ""}
TEST_KEYS = {"STRIPE_SECRET_KEY": "sk_test_xyz", "STRIPE_PUBLISHABLE_KEY": "pk_test_xyz"}


@pytest.fixture(autouse=True)
def database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://portal@db/portal")


def found(**changed: Any) -> list[str]:
    with override_settings(**{**LIVE, **changed}):
        return [f"{problem.id} {problem.msg}" for problem in checks.problems()]


def test_good_settings_have_no_problems() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changed", "number", "named"),
    [
        ({"SECRET_KEY": "short"}, "E010", "SECRET_KEY"),
        ({"SECRET_KEY": "a-laptop-has-nothing-to-hide-" + "0" * 32}, "E010", "SECRET_KEY"),
        ({"SECRET_KEY": "django-insecure-" + "x" * 50}, "E010", "SECRET_KEY"),
        ({"ALLOWED_HOSTS": ["*"]}, "E011", "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": ["billing.example.com", ""]}, "E011", "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": ["."]}, "E011", "ALLOWED_HOSTS"),
        ({"PORTAL_URL": "http://billing.example.com"}, "E012", "PORTAL_URL"),
        ({"PORTAL_URL": "billing.example.com"}, "E012", "PORTAL_URL"),
        ({"PORTAL_URL": "https://billing.example.com/app"}, "E012", "PORTAL_URL"),
        ({"METRICS_TOKEN": "short"}, "E013", "METRICS_TOKEN"),
        ({"STRIPE_SECRET_KEY": "pk_live_xyz"}, "E020", "STRIPE_SECRET_KEY"),
        ({"STRIPE_SECRET_KEY": "sk_live_"}, "E020", "STRIPE_SECRET_KEY"),
        ({"STRIPE_SECRET_KEY": "anything"}, "E020", "STRIPE_SECRET_KEY"),
        ({"STRIPE_PUBLISHABLE_KEY": "sk_live_xyz"}, "E021", "STRIPE_PUBLISHABLE_KEY"),
        ({"CELERY_BROKER_URL": "filesystem://"}, "E031", "BROKER_URL"),
        ({"CELERY_BROKER_URL": "memory://"}, "E031", "BROKER_URL"),
        ({"CELERY_BROKER_URL": "redis.internal"}, "E031", "BROKER_URL"),
        (
            {"EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend"},
            "E032",
            "EMAIL_URL",
        ),
        (
            {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"},
            "E032",
            "EMAIL_URL",
        ),
        (
            {"CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}},
            "W033",
            "CACHE_URL",
        ),
        ({"USD_TO_OMR": Decimal(0)}, "E001", "USD_TO_OMR"),
        ({"TAX_RATES": {"XX": Decimal(5)}}, "E003", "XX"),
        ({"TAX_RATES": {"OM": Decimal(101)}}, "E004", "OM"),
        ({"TAX_RATES": {"OM": Decimal("NaN")}}, "E004", "OM"),
        ({"TAX_RATES": {"OM": Decimal("5.125")}}, "E004", "OM"),
        ({"CHARGE_TAX": True}, "E005", "SELLER_TAX_NUMBER"),
        ({"USD_TO_OMR": Decimal("NaN")}, "E001", "USD_TO_OMR"),
        ({"MAXIMUM_TOP_UP": Decimal("-1")}, "E002", "MAXIMUM_TOP_UP"),
        ({"RENEWAL_THREADS": 0}, "E007", "RENEWAL_THREADS"),
        ({"STRIPE_CHARGES_PER_SECOND": 0}, "E006", "STRIPE_CHARGES_PER_SECOND"),
        ({"PLATFORM_WEBHOOK_URL": ""}, "E040", "PLATFORM_WEBHOOK_URL"),
        ({"PLATFORM_WEBHOOK_URL": "http://platform.example.com"}, "E040", "PLATFORM_WEBHOOK_URL"),
        ({"PLATFORM_WEBHOOK_URL": "platform.example.com"}, "E040", "PLATFORM_WEBHOOK_URL"),
        ({"PLATFORM_WEBHOOK_URL": "https:///webhooks"}, "E040", "PLATFORM_WEBHOOK_URL"),
        ({"PLATFORM_WEBHOOK_URL": "https://[platform"}, "E040", "PLATFORM_WEBHOOK_URL"),
        ({"PLATFORM_WEBHOOK_URL": "https://host:port/"}, "E040", "PLATFORM_WEBHOOK_URL"),
        ({"PLATFORM_WEBHOOK_URL": "https://me:pw@host/"}, "E040", "PLATFORM_WEBHOOK_URL"),
        ({"PLATFORM_WEBHOOK_SECRET": ""}, "E041", "PLATFORM_WEBHOOK_SECRET"),
        ({"PLATFORM_WEBHOOK_SECRET": "c2VjcmV0" * 4}, "E041", "PLATFORM_WEBHOOK_SECRET"),
        ({"PLATFORM_WEBHOOK_SECRET": "whsec_no base64"}, "E041", "PLATFORM_WEBHOOK_SECRET"),
        ({"PLATFORM_WEBHOOK_SECRET": "whsec_é"}, "E041", "PLATFORM_WEBHOOK_SECRET"),
        ({"PLATFORM_WEBHOOK_SECRET": "whsec_c2VjcmV0"}, "E041", "PLATFORM_WEBHOOK_SECRET"),
    ],
)
def test_a_wrong_value_is_named(changed: dict[str, Any], number: str, named: str) -> None:
    problems = found(**changed)

    assert len(problems) == 1
    assert problems[0].startswith(f"billing_portal.{number}")
    assert named in problems[0]


@pytest.mark.parametrize("url", ["mysql://db/portal", "sqlite:///portal.db", "db.internal", ""])
def test_only_postgresql_will_do(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    assert [problem.split()[0] for problem in found()] == ["billing_portal.E030"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "psql"])
def test_the_names_of_postgresql(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://portal@db/portal")

    assert found() == []


def test_restricted_live_keys_will_do() -> None:
    assert found(STRIPE_SECRET_KEY="rk_live_xyz") == []


def test_test_keys_are_for_staging_only() -> None:
    assert [problem.split()[0] for problem in found(**TEST_KEYS)] == [
        "billing_portal.E020",
        "billing_portal.E021",
    ]
    assert found(**TEST_KEYS, ALLOW_STRIPE_TEST_MODE=True) == []


def test_keys_of_two_modes_do_not_mix() -> None:
    problems = found(STRIPE_PUBLISHABLE_KEY="pk_test_xyz", ALLOW_STRIPE_TEST_MODE=True)

    assert [problem.split()[0] for problem in problems] == ["billing_portal.E022"]


def test_a_platform_need_not_listen() -> None:
    assert found(**NOBODY_LISTENS) == []


def test_a_laptop_may_tell_a_platform_on_itself() -> None:
    laptop = {"DEBUG": True, **TEST_KEYS, "STRIPE_LIVE_MODE": False}

    assert found(**laptop, PLATFORM_WEBHOOK_URL="http://127.0.0.1:9000/webhooks") == []
    [problem] = found(**laptop, PLATFORM_WEBHOOK_SECRET="whsec_s3cret")
    assert problem.startswith("billing_portal.E041")
    assert "s3cret" not in problem


def test_a_key_is_never_repeated() -> None:
    for problem in found(STRIPE_SECRET_KEY="sk_oops_s3cret", STRIPE_PUBLISHABLE_KEY="s3cret"):
        assert "s3cret" not in problem


def test_a_laptop_may_be_careless_but_not_with_real_cards() -> None:
    careless = {"DEBUG": True, "ALLOWED_HOSTS": ["*"], "SECRET_KEY": "x", **TEST_KEYS}

    assert found(**careless, STRIPE_LIVE_MODE=False) == []
    assert [problem.split()[0] for problem in found(**careless)] == ["billing_portal.E003"]


def test_they_are_among_djangos_checks() -> None:
    with override_settings(**LIVE, USD_TO_OMR=Decimal(0)):
        assert "billing_portal.E001" in [message.id for message in run_checks(tags=["security"])]


@pytest.mark.django_db
def test_events_that_stripe_was_not_told_of_are_told_to_whoever_checks_the_database(
    sandbox: "Sandbox", settings: Settings
) -> None:
    def told() -> list[CheckMessage]:
        found = run_checks(tags=["database"], databases=["default"])
        return [message for message in found if message.id == "billing_portal.W050"]

    [warning] = told()
    assert "charge.succeeded" in warning.msg
    assert "register_webhooks" in str(warning.hint)
    webhook_endpoint.register_endpoint(portal_url=settings.PORTAL_URL)
    assert told() == []


def test_a_process_ends_saying_everything_that_is_wrong() -> None:
    with (
        override_settings(**{**LIVE, "ALLOWED_HOSTS": ["*"], "SECRET_KEY": "short"}),
        pytest.raises(ImproperlyConfigured) as ended,
    ):
        checks.refuse_to_start_unfit()

    assert "SECRET_KEY is too easy" in str(ended.value)
    assert "ALLOWED_HOSTS is '*'" in str(ended.value)


def test_a_warning_does_not_end_a_process() -> None:
    with override_settings(
        **{
            **LIVE,
            "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        }
    ):
        checks.refuse_to_start_unfit()
