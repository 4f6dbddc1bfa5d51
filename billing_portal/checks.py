"""What production may not start with. Each message names the variable and what to set it to.

A variable that is missing is refused where it is read, in the settings. These look at the values,
as Django's system checks and when the apps are loaded: so no web server, worker, beat or command
starts on wrong ones.
"""

import binascii
import os
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections
from django.db.migrations.loader import MigrationLoader
from django_countries import countries

from accounts.staff_roles import StaffRole

_SECRET_KEY_LENGTH = 50
_TOKEN_LENGTH = 16
#: In bytes, as the Standard Webhooks specification says.
_WEBHOOK_SECRET_LENGTHS = range(24, 65)
_MAKE_ONE = '`echo "whsec_$(openssl rand -base64 32)"`'
_BROKERS = {"redis", "rediss", "sentinel", "amqp", "amqps"}
_DATABASES = {"postgres", "postgresql", "psql", "pgsql", "postgis"}
#: The last commit that has the migrations of which there were 112.
LAST_OF_THE_FORMER = "cd1cc61"
_MAIL_THAT_GOES_NOWHERE = {"console", "dummy", "filebased", "locmem"}


def _error(number: int, message: str, hint: str) -> Error:
    return Error(message, hint=hint, id=f"billing_portal.E{number:03}")


def money_problems() -> Iterator[CheckMessage]:
    """Yield what is wrong with rates and limits, on a laptop too."""
    if not (settings.USD_TO_OMR.is_finite() and settings.USD_TO_OMR > 0):
        yield _error(
            1,
            f"USD_TO_OMR is {settings.USD_TO_OMR}.",
            "Set it to rials for a dollar, like 0.385, or leave it out.",
        )
    if not (settings.MAXIMUM_TOP_UP.is_finite() and settings.MAXIMUM_TOP_UP > 0):
        yield _error(
            2,
            f"MAXIMUM_TOP_UP is {settings.MAXIMUM_TOP_UP}.",
            "Set it to dollars, like 5000.00, or leave it out.",
        )
    if settings.STRIPE_CHARGES_PER_SECOND < 1:
        yield _error(
            6,
            f"STRIPE_CHARGES_PER_SECOND is {settings.STRIPE_CHARGES_PER_SECOND}.",
            "Set it to what Stripe takes of the account, like 25, or leave it out.",
        )
    if settings.RENEWAL_THREADS < 1:
        yield _error(
            7,
            f"RENEWAL_THREADS is {settings.RENEWAL_THREADS}.",
            "Set it to how many charges a run has under way at once, like 10, or leave it out.",
        )
    yield from limit_problems()
    yield from tax_problems()


def limit_problems() -> Iterator[CheckMessage]:
    """Yield which limits name a role that there is none of: it would never hold."""
    for name in ("STAFF_ADJUSTMENT_LIMITS", "STAFF_REFUND_LIMITS", "STAFF_APPROVAL_LIMITS"):
        for role in getattr(settings, name):
            if role not in StaffRole.values:
                yield _error(
                    8,
                    f"{name} names {role!r}, which is no role.",
                    f"Write dollars by role, like Support=25; roles are {', '.join(StaffRole)}.",
                )


def tax_problems() -> Iterator[CheckMessage]:
    """Yield what is wrong with the taxes, whether they are charged yet or not."""
    for country, rate in settings.TAX_RATES.items():
        if country not in countries:
            yield _error(
                3,
                f"TAX_RATES names {country!r}, which is no country.",
                "Write percent by ISO 3166 code, like OM=5,AE=5.",
            )
        if not (rate.is_finite() and 0 <= rate <= 100 and rate == round(rate, 2)):
            yield _error(
                4,
                f"TAX_RATES has {rate} for {country}.",
                "Write percent from 0 to 100, with at most two decimals.",
            )
    if settings.CHARGE_TAX and not settings.SELLER["tax_number"]:
        yield _error(
            5,
            "CHARGE_TAX is on, and SELLER_TAX_NUMBER is not set.",
            "Set it to the number that tax invoices name, or leave CHARGE_TAX out.",
        )


def platform_problems() -> Iterator[CheckMessage]:
    """Yield what is wrong with the platform's webhook, on a laptop too; not the secret itself."""
    url, secret = settings.PLATFORM_WEBHOOK_URL, settings.PLATFORM_WEBHOOK_SECRET
    schemes = {"https", "http"} if settings.DEBUG else {"https"}
    if url and not _is_target(url, schemes):
        yield _error(
            40,
            f"PLATFORM_WEBHOOK_URL is not an address of {' or '.join(sorted(schemes))}.",
            "Set it like https://platform.example.com/webhooks, without a user or password.",
        )
    if secret and not url:
        yield _error(
            40,
            "PLATFORM_WEBHOOK_SECRET is set, and PLATFORM_WEBHOOK_URL is not.",
            "Set both, or leave out both: then the platform is told of nothing.",
        )
    if url and not secret:
        yield _error(
            41,
            "PLATFORM_WEBHOOK_URL is set, and PLATFORM_WEBHOOK_SECRET is not.",
            f"Set it to what {_MAKE_ONE} prints, and give it to the platform.",
        )
    elif secret and not _is_webhook_secret(secret):
        yield _error(
            41,
            "PLATFORM_WEBHOOK_SECRET is not whsec_ and 24 to 64 bytes in base64.",
            f"Set it to what {_MAKE_ONE} prints, and give it to the platform.",
        )


def laptop_problems() -> Iterator[CheckMessage]:
    """Yield what must not be seen with DEBUG on."""
    if settings.STRIPE_LIVE_MODE:
        yield _error(
            3,
            "STRIPE_SECRET_KEY is a live key, and DEBUG is on.",
            "Real cards would be charged. Set DEBUG=0 in production, or use a test key.",
        )


def host_problems() -> Iterator[CheckMessage]:
    """Yield what is wrong with SECRET_KEY and the addresses the portal answers to."""
    key = settings.SECRET_KEY
    if len(key) < _SECRET_KEY_LENGTH or key.startswith(("django-insecure-", "a-laptop-")):
        yield _error(
            10,
            "SECRET_KEY is too easy to guess.",
            f"Set it to at least {_SECRET_KEY_LENGTH} random characters, for example from "
            "`python -c 'import secrets; print(secrets.token_urlsafe(50))'`.",
        )
    if any(not host.strip(" .") or host.strip() == "*" for host in settings.ALLOWED_HOSTS):
        yield _error(
            11,
            f"ALLOWED_HOSTS is {','.join(settings.ALLOWED_HOSTS)!r}.",
            "Set it to the portal's own host names, separated by commas, like billing.example.com.",
        )
    address = urlsplit(settings.PORTAL_URL)
    if address.scheme != "https" or not address.hostname or address.path not in {"", "/"}:
        yield _error(
            12,
            f"PORTAL_URL is {settings.PORTAL_URL!r}.",
            "Set it to the address customers use, like https://billing.example.com.",
        )
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < _TOKEN_LENGTH:
        yield _error(
            13,
            "METRICS_TOKEN is too easy to guess.",
            f"Set it to at least {_TOKEN_LENGTH} random characters, or leave it out: "
            "then nobody may read /metrics.",
        )


def stripe_problems() -> Iterator[CheckMessage]:
    """Yield what is wrong with the Stripe keys. Values are secrets and are not repeated."""
    modes = []
    for number, name, prefixes in (
        (20, "STRIPE_SECRET_KEY", ("sk", "rk")),
        (21, "STRIPE_PUBLISHABLE_KEY", ("pk",)),
    ):
        prefix, _, rest = getattr(settings, name).partition("_")
        mode, _, secret = rest.partition("_")
        modes.append(mode)
        if prefix not in prefixes or mode not in {"live", "test"} or not secret:
            yield _error(
                number,
                f"{name} is not a key of Stripe's.",
                f"Set it to the one that begins with {prefixes[0]}_live_ in Stripe's dashboard, "
                "under Developers, API keys.",
            )
        elif mode == "test" and not settings.ALLOW_STRIPE_TEST_MODE:
            yield _error(
                number,
                f"{name} is a test key: no real card can be charged with it.",
                f"Set it to the one that begins with {prefixes[0]}_live_. On a staging server, "
                "set ALLOW_STRIPE_TEST_MODE=1.",
            )
    if set(modes) == {"live", "test"}:
        yield _error(
            22,
            "STRIPE_SECRET_KEY and STRIPE_PUBLISHABLE_KEY are of different modes.",
            "Set both to live keys, or both to test keys on a staging server.",
        )


def service_problems() -> Iterator[CheckMessage]:
    """Yield what is wrong with the database, the broker, the cache and e-mail."""
    if _scheme(os.environ.get("DATABASE_URL", "")) not in _DATABASES:
        yield _error(
            30,
            "DATABASE_URL is not the address of a PostgreSQL.",
            "Set it like postgresql://user:password@host:5432/name. There is no other dialect.",
        )
    if _scheme(settings.CELERY_BROKER_URL) not in _BROKERS:
        yield _error(
            31,
            f"BROKER_URL cannot be {_scheme(settings.CELERY_BROKER_URL) or 'empty'}.",
            "Set it to a Redis, like redis://host:6379/0.",
        )
    backend = settings.EMAIL_BACKEND.split(".")[-2]
    if backend in _MAIL_THAT_GOES_NOWHERE:
        yield _error(
            32,
            f"EMAIL_URL leads to the {backend} backend: customers would get no e-mail.",
            "Set it like smtp+tls://user:password@host:587.",
        )
    if settings.CACHES["default"]["BACKEND"].endswith("LocMemCache"):
        yield Warning(
            "CACHE_URL is not set: each process counts sign-in attempts by itself.",
            hint="Set it to a Redis, like redis://host:6379/1.",
            id="billing_portal.W033",
        )


def problems() -> list[CheckMessage]:
    """Return everything that is wrong with the settings as they are."""
    groups: list[Callable[[], Iterator[CheckMessage]]] = [money_problems, platform_problems]
    if settings.DEBUG:
        groups += [laptop_problems]
    else:
        groups += [host_problems, stripe_problems, service_problems]
    return [problem for group in groups for problem in group()]


@register(Tags.security)
def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report them to `manage.py check` and to every other command."""
    return problems()


@register(Tags.database)
def check_webhooks(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """Say which of Stripe's events the portal waits for in vain: `check --database default`."""
    # Imported here: at the top, the apps are not loaded yet.
    from accounts.webhook_endpoint import missing_events

    if not databases:
        return []
    try:
        missing = missing_events(portal_url=settings.PORTAL_URL)
    except DatabaseError:  # before the first migration
        return []
    if not missing:
        return []
    return [
        Warning(
            f"Stripe was not told to send {', '.join(missing)} to {settings.PORTAL_URL}.",
            hint="Run `manage.py register_webhooks`. Until then the sweeper asks, minutes later.",
            id="billing_portal.W050",
        )
    ]


@register(Tags.database)
def check_migrations(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """Stop `migrate` where a database has some of the migrations that one took the place of.

    The others are gone. Such a one is left out by Django, and what comes after it would be begun.
    """
    problems: list[CheckMessage] = []
    for database in databases or []:
        loader = MigrationLoader(connections[database])
        begun = {
            app
            for (app, name), migration in loader.replacements.items()
            if (app, name) not in loader.graph.nodes
            and not set(migration.replaces) & set(loader.disk_migrations)
        }
        if begun:
            message = (
                f"The database has some of the former migrations of {', '.join(sorted(begun))}."
            )
            hint = f"Migrate it with commit {LAST_OF_THE_FORMER} first (docs/deployment.md)."
            problems.append(_error(60, message, hint))
    return problems


def refuse_to_start_unfit() -> None:
    """Raise ImproperlyConfigured, saying all that is wrong, if anything is."""
    errors = [problem for problem in problems() if problem.is_serious()]
    if errors:
        lines = [f"  {error.msg}\n    {error.hint}" for error in errors]
        raise ImproperlyConfigured("The billing portal does not start:\n" + "\n".join(lines))


def _is_target(url: str, schemes: set[str]) -> bool:
    try:
        address = urlsplit(url)
        return (
            address.scheme in schemes
            and bool(address.hostname)
            and address.username is None
            and address.port != 0
        )
    except ValueError:  # a port that is no number, a bracket that is not closed
        return False


def _is_webhook_secret(text: str) -> bool:
    prefix, _, encoded = text.partition("_")
    try:
        return prefix == "whsec" and (
            len(b64decode(encoded, validate=True)) in _WEBHOOK_SECRET_LENGTHS
        )
    except (binascii.Error, ValueError):
        return False


def _scheme(url: str) -> str:
    return url.partition("://")[0].partition("+")[0].lower()
