"""Invitations: an address is asked to become a member, and its link makes it one, once.

The token of a link is made from the invitation, how often it was sent, and the portal's secret key,
just when its e-mail goes out: neither the row nor the outbox holds what would let somebody in.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts import emails, outbox
from accounts.models import Account, AuditEvent, Invitation, Membership, Message, User
from accounts.roles import Role

#: How long a link works.
LASTS: Final = timedelta(days=7)
#: How many may wait for an answer at once.
MAXIMUM_OPEN: Final = 20
#: How many addresses an account may write to in a day, revoked ones included: this is no mailer.
MAXIMUM_A_DAY: Final = 30
#: The same person is written to again after this, and so often in all.
RESENT_AFTER: Final = timedelta(minutes=10)
MAXIMUM_TIMES_SENT: Final = 5

EVENT: Final = "member_invited"


class NotOpen(Exception):
    """No invitation that can be accepted has this token."""


class ForSomebodyElse(Exception):
    """The invitation is for another address than the one that is signed in."""


def connect() -> None:
    """Have the e-mail's link made when it is sent."""
    emails.link_by(EVENT, lambda message: _path(message))


@transaction.atomic
def invite(*, account: Account, email: str, role: str, by: User, now: datetime) -> Invitation:
    """Invite an address, by e-mail. One that is invited already is written to again.

    Raises ValidationError by field: for no address, no role, a member; and when too many wait.
    """
    email = email.strip()
    try:
        validate_email(email)
    except ValidationError as error:
        problem = _("Enter an e-mail address, such as name@company.com.")
        raise ValidationError({"email": problem}) from error
    if len(email) > 254:
        raise ValidationError({"email": _("This address is too long.")})
    if role not in Role.values:
        raise ValidationError({"role": _("Choose one of the roles.")})
    account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    if Membership.objects.filter(account=account, user__email__iexact=email).exists():
        raise ValidationError({"email": _("This person is a member already.")})
    unanswered = waiting(account=account)
    found = unanswered.filter(email__iexact=email).first()
    if found is not None:
        return _send_again(found, role=role, by=by, now=now)
    if unanswered.count() >= MAXIMUM_OPEN:
        raise ValidationError(
            _("%(count)s invitations wait for an answer, the most there may be. Revoke one first.")
            % {"count": MAXIMUM_OPEN}
        )
    day = Invitation.objects.filter(account=account, created_at__gt=now - timedelta(days=1))
    if day.count() >= MAXIMUM_A_DAY:
        raise ValidationError(_("Too many people were invited today. Go on tomorrow."))
    invitation = Invitation(
        account=account,
        email=email,
        role=role,
        invited_by=by,
        created_at=now,
        sent_at=now,
        expires_at=now + LASTS,
    )
    _send(invitation, now=now)
    _record(invitation, "member_invited", by, now)
    return invitation


@transaction.atomic
def resend(*, invitation: Invitation, by: User, now: datetime) -> Invitation:
    """Send a new link, good for another LASTS; the old one stops working.

    Raises ValidationError when it was answered or revoked, or was sent a moment ago or too often.
    """
    Account.objects.select_for_update(no_key=True).get(pk=invitation.account_id)
    found = waiting(account=invitation.account).filter(pk=invitation.pk).first()
    if found is None:
        raise ValidationError(_("This invitation was answered or revoked already."))
    return _send_again(found, role=found.role, by=by, now=now)


def _send_again(invitation: Invitation, *, role: str, by: User, now: datetime) -> Invitation:
    if now < invitation.sent_at + RESENT_AFTER:
        raise ValidationError(
            _("%(email)s was written to a moment ago. Wait ten minutes before you send it again.")
            % {"email": invitation.email}
        )
    if invitation.times_sent >= MAXIMUM_TIMES_SENT:
        raise ValidationError(
            _("%(email)s was written to %(count)s times. Ask them, or revoke the invitation.")
            % {"email": invitation.email, "count": MAXIMUM_TIMES_SENT}
        )
    invitation.role = role
    invitation.invited_by = by
    invitation.sent_at = now
    invitation.expires_at = now + LASTS
    invitation.times_sent += 1
    _send(invitation, now=now)
    _record(invitation, "invitation_resent", by, now)
    return invitation


@transaction.atomic
def revoke(*, invitation: Invitation, by: User, now: datetime) -> None:
    """Make the link worthless at once. Revoking one that has ended changes nothing."""
    if waiting(account=invitation.account).filter(pk=invitation.pk).update(revoked_at=now):
        _record(invitation, "invitation_revoked", by, now)


def revoke_those_of(*, account: Account, member: User, by: User, now: datetime) -> None:
    """Revoke what a member has open who may not invite any more: nobody comes back that way."""
    for invitation in waiting(account=account).filter(invited_by=member):
        revoke(invitation=invitation, by=by, now=now)


def find(*, token: str, now: datetime) -> Invitation:
    """Return the invitation with this link. Raises NotOpen, whatever is wrong with it."""
    found = (
        Invitation.objects.select_related("account", "invited_by")
        .filter(token_hash=_hash(token))
        .first()
    )
    if found is None or not found.is_open(now=now):
        raise NotOpen
    return found


@transaction.atomic
def accept(*, token: str, user: User, now: datetime) -> Membership:
    """Make the user a member; the link works once.

    A member of the account keeps the role they have. Raises NotOpen, ForSomebodyElse.
    """
    invitation = _locked(token, now)
    if user.email.lower() != invitation.email.lower():
        raise ForSomebodyElse
    invitation.accepted_at, invitation.accepted_by = now, user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    membership, joined = Membership.objects.get_or_create(
        account=invitation.account,
        user=user,
        defaults={"role": invitation.role, "created_at": now},
    )
    if joined:
        _record(invitation, "member_joined", user, now)
    return membership


def needs_password(*, invitation: Invitation) -> bool:
    """Whether nobody can sign in with the address yet: then the link lets them choose a password.

    Whoever has the link reads the mail of the address, and could reset its password anyway. Staff
    sign in as they always do.
    """
    user = User.objects.filter(email__iexact=invitation.email).first()
    if user is None:
        return True
    return user.is_active and not user.is_staff and not user.has_usable_password()


@transaction.atomic
def accept_as_new(*, token: str, name: str, password: str, now: datetime) -> User:
    """Make a user of the invited address, with a password, and a member of them.

    Raises NotOpen, ValidationError by field, and ForSomebodyElse when the address has a sign-in.
    """
    invitation = _locked(token, now)
    if not needs_password(invitation=invitation):
        raise ForSomebodyElse
    user = User.objects.filter(email__iexact=invitation.email).first()
    user = user or User(email=User.objects.normalize_email(invitation.email))
    user.first_name = " ".join(name.split()) or user.first_name
    errors = {}
    if len(user.first_name) > 150 or not user.first_name.isprintable():
        errors["name"] = [_("Enter a name of at most 150 printable characters.")]
    try:
        validate_password(password, user)
    except ValidationError as error:
        errors["password"] = error.messages
    if errors:
        raise ValidationError(errors)
    user.set_password(password)
    user.save()
    accept(token=token, user=user, now=now)
    return user


def _locked(token: str, now: datetime) -> Invitation:
    """Return the invitation; nobody else answers it until the end. Raises NotOpen."""
    found = find(token=token, now=now)
    Account.objects.select_for_update(no_key=True).get(pk=found.account_id)
    return find(token=token, now=now)


def waiting(*, account: Account) -> QuerySet[Invitation]:
    """Return those that were neither accepted nor revoked; their links may have expired."""
    return Invitation.objects.filter(
        account=account, accepted_at__isnull=True, revoked_at__isnull=True
    )


def _send(invitation: Invitation, *, now: datetime) -> None:
    """Record the e-mail with the row it is about, and the hash of the token it will carry."""
    invitation.token_hash = _hash(_token(invitation))
    invitation.save()
    by = invitation.invited_by
    outbox.record_email(
        account=invitation.account,
        event=EVENT,
        key=f"{EVENT}:{invitation.pk}:{invitation.times_sent}",
        recipient=invitation.email,
        context={
            "invitation": str(invitation.pk),
            "invited_by": by.email if by else "",  # not the name: anybody may choose any
            "role": invitation.role,
            "expires_at": invitation.expires_at.isoformat(),
            "path": "/invitations/",
        },
        now=now,
    )


def _token(invitation: Invitation) -> str:
    made_from = f"{invitation.pk}:{invitation.times_sent}:{invitation.sent_at.isoformat()}"
    return salted_hmac("accounts.invitations", made_from, algorithm="sha256").hexdigest()


def _path(message: Message) -> str:
    """Return the address of the link, for the e-mail that goes out."""
    invitation = Invitation.objects.get(pk=message.payload["invitation"])
    return f"/invitations/{_token(invitation)}/"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _record(invitation: Invitation, action: str, by: User, now: datetime) -> None:
    AuditEvent.objects.create(
        account_id=invitation.account_id,
        actor=by,
        action=action,
        details={"member": invitation.email, "role": invitation.role},
        created_at=now,
    )
