"""Keys of the REST API: `bp_<prefix>_<secret>`, shown once, kept as a hash."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from accounts.models import ApiKey, AuditEvent, User

_PREFIX_BYTES: Final = 5
_SECRET_BYTES: Final = 20  # 160 bits: nothing to guess, so a plain hash is enough
#: `last_used_at` is kept to the minute, not written with every request.
_LAST_USED_STEP: Final = timedelta(minutes=1)


@transaction.atomic
def create(*, name: str, now: datetime, by: User | None = None) -> tuple[ApiKey, str]:
    """Create a key; return it with the token, which can't be had again.

    Raises ValueError without a name.
    """
    name = name.strip()
    if not name:
        raise ValueError("A key needs a name that says who uses it.")
    prefix = secrets.token_hex(_PREFIX_BYTES)
    token = f"bp_{prefix}_{secrets.token_hex(_SECRET_BYTES)}"
    key = ApiKey.objects.create(
        name=name[:100], prefix=prefix, secret_hash=_hash(token), created_at=now
    )
    AuditEvent.objects.create(
        actor=by,
        action="api_key_created",
        details={"name": key.name, "prefix": prefix},
        created_at=now,
    )
    return key, token


@transaction.atomic
def revoke(*, key: ApiKey, now: datetime, by: User | None = None) -> None:
    """Make the key worthless at once. Revoking it again changes nothing."""
    if not ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
        return
    AuditEvent.objects.create(
        actor=by,
        action="api_key_revoked",
        details={"name": key.name, "prefix": key.prefix},
        created_at=now,
    )


def verify(*, token: str, now: datetime) -> ApiKey | None:
    """Return the key this token belongs to, or None for one that is wrong or revoked."""
    kind, _, rest = token.partition("_")
    prefix, _, secret = rest.partition("_")
    if kind != "bp" or not secret or not prefix.isalnum() or len(prefix) > 16:
        return None
    key = ApiKey.objects.filter(prefix=prefix, revoked_at__isnull=True).first()
    if key is None or not secrets.compare_digest(key.secret_hash, _hash(token)):
        return None
    _note_use(key, now)
    return key


def _note_use(key: ApiKey, now: datetime) -> None:
    stale = now - _LAST_USED_STEP
    if key.last_used_at is not None and key.last_used_at > stale:
        return
    ApiKey.objects.filter(
        Q(last_used_at__isnull=True) | Q(last_used_at__lte=stale), pk=key.pk
    ).update(last_used_at=now)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
