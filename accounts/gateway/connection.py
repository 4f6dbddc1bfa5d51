"""The line to Stripe: the SDK's client, and its errors turned into the few the portal knows."""

from datetime import timedelta
from functools import lru_cache
from typing import NoReturn

import stripe
import structlog
from django.conf import settings
from django.db import transaction
from djmoney.money import Money

from accounts.gateway.pace import PacedClient

log = structlog.get_logger(__name__)


#: Stripe remembers an idempotency key for at least 24 hours. Whatever is asked under it later would
#: be done anew: from here on it is looked up whether it was done.
KEY_LIFETIME = timedelta(hours=20)


class GatewayUnavailable(Exception):
    """Stripe did not give an answer to rely on: what was asked may or may not have happened."""


class GatewayRefused(Exception):
    """Stripe refused the request itself: nothing happened, and asking again changes nothing."""


@lru_cache(maxsize=1)
def client() -> stripe.StripeClient:
    """The SDK's client: pinned version, bounded waits, retries under the same idempotency key.

    No more charges a second than Stripe takes, of all processes together (see pace.py).
    """
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        stripe_version=settings.STRIPE_API_VERSION,
        # The client ignores stripe.api_base, which dj-stripe sets.
        base_addresses={"api": settings.STRIPE_API_BASE},
        http_client=PacedClient(stripe.RequestsClient(timeout=settings.STRIPE_TIMEOUT_SECONDS)),
        max_network_retries=2,
    )


class translated:  # noqa: N801 - a context manager, used as a verb
    """Turn the SDK's errors into ours, and refuse to run inside a database transaction."""

    def __enter__(self) -> None:
        # Raises RuntimeError inside another transaction; by itself it costs no statement.
        with transaction.atomic(durable=True):
            pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, stripe.CardError) or not isinstance(error, stripe.StripeError):
            return
        _raise_ours(error)


def _raise_ours(error: stripe.StripeError) -> NoReturn:
    if isinstance(error, stripe.InvalidRequestError):
        log.warning("stripe_refused", code=error.code, param=error.param, message=str(error))
        raise GatewayRefused(error.user_message or str(error)) from error
    # A connection error, a 5xx, a 429, a key in use, a wrong API key: nothing is known of the
    # payment itself.
    log.warning("stripe_unavailable", error=type(error).__name__, message=str(error))
    raise GatewayUnavailable(str(error)) from error


def currency_of(amount: Money) -> str:
    """Return the currency as Stripe writes it."""
    return str(amount.currency.code).lower()
