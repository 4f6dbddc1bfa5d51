"""Another address to sign in with: it counts once its own mailbox has said yes.

The link that asks is made when its e-mail goes out, signed and good for a day; it works while the
address is still what it was, so once. Whether somebody else signs in with an address is told to
nobody: then no e-mail goes out.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from allauth.account.models import EmailAddress
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import emails, outbox, reasons
from accounts.models import Account, AuditEvent, Message, User

#: How long the link works.
LASTS: Final = timedelta(days=1)
#: How often one may ask in a day: this is no mailer.
MAXIMUM_A_DAY: Final = 5

ASKED: Final = "email_change_asked"
CHANGED: Final = "email_changed"
_SALT: Final = "accounts.email_changes"


class LinkIsOver(Exception):
    """The link is wrong, old, used, or somebody else's."""


def connect() -> None:
    """Have the link made when its e-mail is sent."""
    emails.link_by(ASKED, _path)


@transaction.atomic
def ask(*, user: User, account: Account, email: str, now: datetime) -> None:
    """Write to the new address; `account` is the one whose pages the user is looking at.

    Raises ValidationError by field.
    """
    email = email.strip()
    problem = ""
    try:
        validate_email(email)
    except ValidationError:
        problem = _("Enter an e-mail address, such as name@company.com.")
    if len(email) > 254:
        problem = _("This address is too long.")
    if email.lower() == user.email.lower():
        problem = _("This is your address already.")
    if problem:
        raise ValidationError({"email": problem})
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    recent = AuditEvent.objects.filter(actor=user, action=ASKED, created_at__gt=now - LASTS)
    if recent.count() >= MAXIMUM_A_DAY:
        raise ValidationError({"email": _("You asked too often today. Try again tomorrow.")})
    details = {"member": user.email, "after": email}
    AuditEvent.objects.create(
        account=account, actor=user, action=ASKED, details=details, created_at=now
    )
    if User.objects.filter(email__iexact=email).exists():
        return
    outbox.record_email(
        account=account,
        event=ASKED,
        key=f"{ASKED}:{user.pk}:{now.isoformat()}",
        recipient=email,
        context={
            "user": user.pk,
            "previous": user.email,
            "email": email,
            "expires_at": (now + LASTS).isoformat(),
            "path": "/billing/settings/sign-in/",
        },
        now=now,
    )


def read(*, token: str, user: User, now: datetime) -> str:
    """Return the new address that a link stands for. Raises LinkIsOver."""
    try:
        said = signing.loads(token, salt=_SALT)
    except signing.BadSignature as error:
        raise LinkIsOver from error
    is_theirs = said["user"] == user.pk and said["previous"] == user.email
    if not is_theirs or now >= datetime.fromisoformat(said["until"]):
        raise LinkIsOver
    return str(said["email"])


@transaction.atomic
def confirm(*, token: str, user: User, now: datetime) -> User:
    """Sign in with the new address from now on; the old one is told.

    Raises LinkIsOver, and ValidationError when somebody else has the address by now.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    email = read(token=token, user=user, now=now)
    _change(user, email, by=user, once=hashlib.sha256(token.encode()).hexdigest()[:16], now=now)
    return user


@transaction.atomic
def correct(*, user: User, email: str, by: User, reason: str, now: datetime) -> User:
    """Have somebody sign in with another address, as staff say who know why; the old one is told.

    Raises ValidationError without a reason, and when somebody else has the address.
    """
    reason = reasons.checked(reason)
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    _change(user, email, by=by, once=now.isoformat(), now=now, reason=reason)
    return user


def _change(
    user: User, email: str, *, by: User, once: str, now: datetime, reason: str = ""
) -> None:
    previous = user.email
    user.email = email
    try:
        with transaction.atomic():
            user.save(update_fields=["email"])
    except IntegrityError as error:
        raise ValidationError(_("This address can't be used. Choose another.")) from error
    # What allauth keeps of the old one would still find them.
    EmailAddress.objects.filter(user=user).delete()
    accounts = Account.objects.filter(memberships__user=user).order_by("created_at", "pk")
    for account in accounts:
        AuditEvent.objects.create(
            account=account,
            actor=by,
            action="member_email_changed",
            reason=reason,
            details={"member": email, "before": previous, "after": email},
            created_at=now,
        )
    outbox.record_email(
        account=accounts.first(),
        event=CHANGED,
        key=f"{CHANGED}:{user.pk}:{once}",
        recipient=previous,
        context={
            "user": user.pk,
            "previous": previous,
            "email": email,
            "path": "/accounts/login/",
        },
        now=now,
    )


def _path(message: Message) -> str:
    """Return the address of the link, for the e-mail that goes out."""
    said = {name: message.payload[name] for name in ("user", "previous", "email")}
    token = signing.dumps({**said, "until": message.payload["expires_at"]}, salt=_SALT)
    return f"/billing/settings/sign-in/email/{token}/"
