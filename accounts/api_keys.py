"""Keys of the REST API: `bp_<prefix>_<secret>`, shown once, kept as a hash."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts import prepared
from accounts.api_key_models import CUSTOMER_SCOPES
from accounts.models import Account, ApiKey, AuditEvent, Scope, User

#: How many keys in use a customer may have.
MAXIMUM_OF_ACCOUNT: Final = 10
#: Of each kind of call: enough to follow an account, too little to weigh on the others.
CUSTOMER_REQUESTS_PER_MINUTE: Final = 300

_PREFIX_BYTES: Final = 5
_SECRET_BYTES: Final = 20  # 160 bits: nothing to guess, so a plain hash is enough
#: `last_used_at` is kept to the minute, not written with every request.
_LAST_USED_STEP: Final = timedelta(minutes=1)
_COLUMNS: Final = [field.attname for field in ApiKey._meta.concrete_fields]
_FIND: Final = (
    f"SELECT {', '.join(_COLUMNS)} FROM accounts_apikey"  # noqa: S608  (names of columns)
    " WHERE prefix = %(prefix)s AND revoked_at IS NULL"
)


class MadeAlready(Exception):
    """The form was sent before, and its key was shown."""


@transaction.atomic
def create(
    *,
    name: str,
    now: datetime,
    scopes: Collection[str] = tuple(Scope),
    expires_at: datetime | None = None,
    requests_per_minute: int | None = None,
    by: User | None = None,
    account: Account | None = None,
    request_key: str = "",
    reason: str = "",
) -> tuple[ApiKey, str]:
    """Create a key, staff for a `reason`; return it with the token, which can't be had again.

    It may do what `scopes` say, until `expires_at`; `requests_per_minute` takes the place of the
    general limits. Without an account it is the platform's and reaches all of them; for a
    customer's, see create_for_account. Raises ValidationError by field.
    """
    prefix = secrets.token_hex(_PREFIX_BYTES)
    token = f"bp_{prefix}_{secrets.token_hex(_SECRET_BYTES)}"
    key = ApiKey(
        account=account,
        name=name.strip(),
        prefix=prefix,
        secret_hash=_hash(token),
        scopes=[scope for scope in Scope.values if scope in scopes],
        requests_per_minute=requests_per_minute,
        created_at=now,
        expires_at=expires_at,
        request_key=request_key,
    )
    _check(key, asked_for=scopes)
    key.save()
    AuditEvent.objects.create(
        account=account,
        actor=by,
        action="api_key_created",
        reason=reason,
        details={
            "name": key.name,
            "prefix": prefix,
            "scopes": key.scopes,
            "requests_per_minute": requests_per_minute,
            "expires_at": expires_at and expires_at.isoformat(),
        },
        created_at=now,
    )
    return key, token


@transaction.atomic
def create_for_account(
    *,
    account: Account,
    name: str,
    now: datetime,
    expires_at: datetime | None = None,
    by: User | None = None,
    request_key: str = "",
) -> tuple[ApiKey, str]:
    """Create a key with which a customer reads their own account and no other, and writes nothing.

    A form makes one key, however often it is sent: `request_key` is of the form. Raises
    MadeAlready, ValidationError by field, and when the account has MAXIMUM_OF_ACCOUNT keys in use.
    """
    account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    if request_key and ApiKey.objects.filter(account=account, request_key=request_key).exists():
        raise MadeAlready
    in_use = ApiKey.objects.filter(account=account, revoked_at__isnull=True)
    if in_use.exclude(expires_at__lte=now).count() >= MAXIMUM_OF_ACCOUNT:
        raise ValidationError(
            _("There are %(count)s keys in use, the most an account may have. Revoke one first.")
            % {"count": MAXIMUM_OF_ACCOUNT}
        )
    return create(
        account=account,
        name=name,
        scopes=CUSTOMER_SCOPES,
        requests_per_minute=CUSTOMER_REQUESTS_PER_MINUTE,
        expires_at=expires_at,
        by=by,
        request_key=request_key,
        now=now,
    )


def _check(key: ApiKey, *, asked_for: Collection[str]) -> None:
    errors = {}
    if not key.name or len(key.name) > 100 or not key.name.isprintable():
        errors["name"] = _(
            "A key needs a name that says who uses it: 1 to 100 printable characters."
        )
    if not key.scopes or set(asked_for) - set(Scope.values):
        errors["scopes"] = _("Choose at least one of %(scopes)s.") % {
            "scopes": ", ".join(Scope.values)
        }
    if key.has_expired(now=key.created_at):
        errors["expires_at"] = _("Choose a moment that is still to come.")
    if key.requests_per_minute is not None and key.requests_per_minute < 1:
        errors["requests_per_minute"] = _("Allow at least one request a minute, or leave it out.")
    if errors:
        raise ValidationError(errors)


@transaction.atomic
def change(
    *,
    key: ApiKey,
    name: str,
    requests_per_minute: int | None,
    now: datetime,
    by: User | None = None,
    reason: str = "",
) -> None:
    """Change a key's name or its limit, for a reason; it counts from the next request on.

    What it may do never changes: make another key. Raises ValidationError by field.
    """
    key = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    before = {"name": key.name, "requests_per_minute": key.requests_per_minute}
    after = {"name": name.strip(), "requests_per_minute": requests_per_minute}
    if before == after:
        return
    key.name, key.requests_per_minute = name.strip(), requests_per_minute
    _check(key, asked_for=key.scopes)
    key.save(update_fields=list(after))
    AuditEvent.objects.create(
        account=key.account,
        actor=by,
        action="api_key_changed",
        reason=reason,
        details={"prefix": key.prefix, "before": before, "after": after},
        created_at=now,
    )


@transaction.atomic
def revoke(*, key: ApiKey, now: datetime, by: User | None = None, reason: str = "") -> None:
    """Make the key worthless at once, for a reason that staff give. Again it changes nothing."""
    if not ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
        return
    AuditEvent.objects.create(
        account=key.account,
        actor=by,
        action="api_key_revoked",
        reason=reason,
        details={"name": key.name, "prefix": key.prefix},
        created_at=now,
    )


def makers(*, account: Account) -> dict[str, User | None]:
    """Return who made each key of an account, by its prefix, as the audit trail has it."""
    made = AuditEvent.objects.filter(account=account, action="api_key_created")
    return {event.details["prefix"]: event.actor for event in made.select_related("actor")}


def in_use_made_by(*, account: Account, user: User, now: datetime) -> list[ApiKey]:
    """Return the account's keys that a user made, has seen and may have kept."""
    by = makers(account=account)
    keys = ApiKey.objects.filter(account=account, revoked_at__isnull=True)
    return [key for key in keys if by.get(key.prefix) == user and not key.has_expired(now=now)]


def verify(*, token: str, now: datetime) -> ApiKey | None:
    """Return the key this token belongs to, or None for one that is wrong, revoked or expired.

    It is on the way of every call: one look-up by a unique index, and one update a minute.
    """
    kind, _, rest = token.partition("_")
    prefix, _, secret = rest.partition("_")
    if kind != "bp" or not secret or not prefix.isalnum() or len(prefix) > 16:
        return None
    key = _find(prefix)
    if key is None or not secrets.compare_digest(key.secret_hash, _hash(token)):
        return None
    if key.has_expired(now=now):
        return None
    _note_use(key, now)
    return key


def _find(prefix: str) -> ApiKey | None:
    """Return the key. Written by hand: to build the statement would take longer than to run it."""
    row = prepared.fetch_one(_FIND, {"prefix": prefix})
    return None if row is None else ApiKey.from_db("default", _COLUMNS, row)


def _note_use(key: ApiKey, now: datetime) -> None:
    stale = now - _LAST_USED_STEP
    if key.last_used_at is not None and key.last_used_at > stale:
        return
    ApiKey.objects.filter(
        Q(last_used_at__isnull=True) | Q(last_used_at__lte=stale), pk=key.pk
    ).update(last_used_at=now)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
