"""Which language a person reads: the pages they see, the e-mails they get.

What is recorded for good stays English, whoever causes it: an entry, a charge, an audit event. It
is put into the reader's words where it is shown.
"""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Account, Message, User
from accounts.notices import TO_STAFF
from accounts.roles import Role

ENGLISH = "en"


def is_known(language: str) -> bool:
    """Whether the portal is written in this language."""
    return language in dict(settings.LANGUAGES)


def choose(*, user: User, language: str) -> User:
    """Set the language of a user's pages and e-mails; "" leaves it to their browser.

    Raises ValidationError for a language that the portal is not written in.
    """
    if language and not is_known(language):
        raise ValidationError({"language": _("Choose one of the languages.")})
    user.language = language
    user.save(update_fields=["language"])
    return user


def of_account(account: Account) -> str:
    """The language of what an account is sent: its owner's, else its own default, else English."""
    owners = User.objects.filter(memberships__account=account, memberships__role=Role.OWNER)
    chosen = (
        owners.exclude(language="")
        .order_by("memberships__created_at", "memberships__pk")
        .values_list("language", flat=True)
        .first()
    )
    return _known(chosen or account.language)


def of_recipient(message: Message) -> str:
    """The language of an e-mail: what its reader has chosen, else their account's.

    A reader is known by their address, or where it is not theirs yet, or no more, named as `user`.
    Staff read English: what they are told of names what they find in the admin.
    """
    if message.account is None or message.event in TO_STAFF:
        return ENGLISH
    named = message.payload.get("user")
    readers = User.objects.filter(Q(pk=named) if named else Q(email__iexact=message.recipient))
    chosen = readers.exclude(language="").values_list("language", flat=True).first()
    return _known(chosen) if chosen else of_account(message.account)


def _known(language: str) -> str:
    return language if is_known(language) else ENGLISH
