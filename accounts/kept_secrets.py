"""Which secrets are kept encrypted, and where they are used.

What authenticator apps and recovery codes are made of (allauth's table), and what Stripe signs its
events with (dj-stripe's table).
"""

from collections.abc import Callable
from typing import Any, Final

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import QuerySet
from djstripe.models import WebhookEndpoint, WebhookEventTrigger

from accounts import encryption

#: Of an authenticator's data; of old recovery codes there are many.
_SECRET_FIELDS: Final = ("secret", "seed", "migrated_codes")


class EncryptingAdapter(DefaultMFAAdapter):
    """Has allauth keep the secrets of second factors encrypted."""

    def encrypt(self, text: str) -> str:
        """Return what is to be kept."""
        return encryption.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return what was kept."""
        return encryption.decrypt(encrypted_text)


def connect() -> None:
    """Have dj-stripe, which checks a signature once more, read the endpoint's secret, too."""
    verify = WebhookEventTrigger.verify_signature

    def verify_with_secret(trigger: WebhookEventTrigger, secret: str, tolerance: int) -> bool:
        return bool(verify(trigger, secret=encryption.decrypt(secret), tolerance=tolerance))

    WebhookEventTrigger.verify_signature = verify_with_secret


def signing_secret_of(endpoint: WebhookEndpoint) -> str:
    """Return what Stripe signs with for this endpoint; "" when it was never told here.

    Raises Unreadable.
    """
    return encryption.decrypt(endpoint.secret) if endpoint.secret else ""


def encrypt_anew() -> int:
    """Encrypt every secret under the newest key; return how many there were. Raises Unreadable."""
    return change_all(
        Authenticator.objects.all(),
        WebhookEndpoint.objects.all(),
        lambda kept: encryption.encrypt(encryption.decrypt(kept)),
    )


@transaction.atomic
def change_all(
    authenticators: QuerySet[Any], endpoints: QuerySet[Any], change: Callable[[str], str]
) -> int:
    """Change what is kept of each secret; return how many there were."""
    count = 0
    for authenticator in authenticators.select_for_update().order_by("pk"):
        for field in _SECRET_FIELDS:
            kept = authenticator.data.get(field)
            if isinstance(kept, list):
                authenticator.data[field] = [change(each) for each in kept]
                count += len(kept)
            elif kept:
                authenticator.data[field] = change(kept)
                count += 1
        authenticator.save(update_fields=["data"])
    for endpoint in endpoints.exclude(secret="").select_for_update().order_by("pk"):
        endpoint.secret = change(endpoint.secret)
        if "secret" in endpoint.stripe_data:
            endpoint.stripe_data["secret"] = endpoint.secret
        endpoint.save(update_fields=["secret", "stripe_data"])
        count += 1
    return count
