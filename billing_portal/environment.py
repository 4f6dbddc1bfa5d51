"""What the environment says, read for settings.py: a mistake names its variable."""

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# A machine on which none of these is set is a laptop, not a server.
_server_variables = ("SECRET_KEY", "ALLOWED_HOSTS", "STRIPE_SECRET_KEY")
DEBUG = env.bool("DEBUG", default=not any(env.str(name, "") for name in _server_variables))
DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / ".data"))).resolve()


def required(name: str, *, on_a_laptop: str) -> str:
    """Return the variable, or its laptop value when DEBUG is on.

    Raises ImproperlyConfigured, naming the variable, when it is missing in production.
    """
    value = env.str(name, "")
    if value:
        return value
    if DEBUG:
        return on_a_laptop
    raise ImproperlyConfigured(
        f"{name} is not set. With DEBUG off it is required; see docs/deployment.md. "
        "On a laptop, set DEBUG=1."
    )


def decimal(name: str, default: str) -> Decimal:
    """Return the variable as an exact number, or raise ImproperlyConfigured, naming it."""
    value = env.str(name, default)
    number = _number(value)
    if not number.is_finite():
        raise ImproperlyConfigured(f"{name} is {value!r}. Set it to a number like {default}.")
    return number


def tax_rates(name: str, default: str) -> dict[str, Decimal]:
    """Return percent by country from `OM=5,AE=5`, or raise ImproperlyConfigured, naming it."""
    rates: dict[str, Decimal] = {}
    for part in filter(None, env.str(name, default).replace(" ", "").split(",")):
        country, _, percent = part.partition("=")
        rate = _number(percent)
        if not rate.is_finite() or not 0 <= rate <= 100 or rate != round(rate, 2):
            raise ImproperlyConfigured(
                f"{name} has {part!r}. Write percent by country code, like {default},AE=5."
            )
        rates[country] = rate
    return rates


def limits_of_roles(name: str, default: str) -> dict[str, Decimal]:
    """Return dollars by role from `Support=25`, or raise ImproperlyConfigured, naming it."""
    limits: dict[str, Decimal] = {}
    for part in filter(None, env.str(name, default).replace(" ", "").split(",")):
        role, _, dollars = part.partition("=")
        limit = _number(dollars)
        if not role or not limit.is_finite() or limit < 0 or limit != round(limit, 2):
            raise ImproperlyConfigured(
                f"{name} has {part!r}. Write dollars by role, like {default}."
            )
        limits[role] = limit
    return limits


def _number(text: str) -> Decimal:
    """Return the number that `text` is, or NaN."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def running_demo() -> dict[str, Any]:
    """Return where the demo listens that runs on this data, for what is started beside it."""
    if not DEBUG:
        return {}
    try:
        found: dict[str, Any] = json.loads((DATA_DIR / "demo.json").read_text())
    except (OSError, ValueError):
        return {}
    return found
