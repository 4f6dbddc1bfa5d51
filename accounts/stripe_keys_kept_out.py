"""Stripe's secret key stays in the environment: dj-stripe would write it into the database.

It keeps a row for each key that it was ever called with, to know whose account it is. Whoever reads
a dump could charge cards with it. So the row has the key's SHA-256, which tells keys apart as well,
and the key that is used is always that of the settings. Whether rows are clean is watched over all
tests (tests/secrets_watch.py).
"""

import hashlib
from typing import Any

from djstripe.models import Account, APIKey
from djstripe.models.api import get_api_key_details_by_prefix
from djstripe.settings import djstripe_settings


def connect() -> None:
    """Have dj-stripe look for accounts and keys here."""
    Account.get_or_retrieve_for_api_key = classmethod(_owner_of)
    Account.get_default_api_key = _key_of_the_settings


def fingerprint(api_key: str) -> str:
    """Return what is kept of a key."""
    return f"sha256:{hashlib.sha256(api_key.encode()).hexdigest()}"


def _owner_of(accounts: Any, api_key: str) -> Any:
    """Return Stripe's account of a key, asked for and kept at its first use."""
    kind, livemode = get_api_key_details_by_prefix(api_key)
    kept, _ = APIKey.objects.get_or_create(
        secret=fingerprint(api_key), defaults={"type": kind, "livemode": livemode}
    )
    if kept.djstripe_owner_account is None:
        told = accounts.stripe_class.retrieve(
            api_key=api_key, stripe_version=djstripe_settings.STRIPE_API_VERSION
        )
        # First a stub, as dj-stripe does: to read the rest, it asks whose it is.
        kept.djstripe_owner_account, made = accounts.objects.get_or_create(id=told["id"])
        kept.save()
        if made:
            accounts.sync_from_stripe_data(told, api_key=api_key)
    return kept.djstripe_owner_account


def _key_of_the_settings(account: Any, livemode: bool | None = None) -> str:
    return str(djstripe_settings.get_default_api_key(livemode))
