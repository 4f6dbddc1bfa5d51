"""One e-mail: composed from a recorded message, with what is attached to it, and handed over.

What it says is in notices.py and templates/email/; when it is sent, in outbox.py.
"""

import smtplib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone, translation

from accounts import languages
from accounts.models import Message
from accounts.notices import TO_STAFF
from accounts.recorded_words import translated


class MailServerAway(Exception):
    """The mail server can't be talked to: no other e-mail would fare better just now."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes out with an e-mail."""

    filename: str
    content: bytes
    media_type: str


#: What a mail server that works says of an e-mail it does not want.
_REFUSED_THIS_ONE = (
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPSenderRefused,
    smtplib.SMTPDataError,
)

#: Draws what goes out with a message: nothing, when there is nothing to attach or it failed.
Attach = Callable[[Message], Sequence[Attachment]]

_attach: dict[str, Attach] = {}


def attach_to(event: str, attach: Attach) -> None:
    """Say what goes out with the e-mails of an event: the app knows that knows the document."""
    _attach[event] = attach


#: The address of a link that is nobody's but the recipient's: made when the e-mail goes out.
LinkPath = Callable[[Message], str]

_link_paths: dict[str, LinkPath] = {}


def link_by(event: str, path: LinkPath) -> None:
    """Say where the link of an event's e-mails leads, when whoever sees it may follow it.

    It is in what is sent and nowhere else: the outbox and the admin have the message's `path`.
    """
    _link_paths[event] = path


def send(message: Message) -> None:
    """Hand the e-mail of a recorded message to the mail server, with its attachments.

    Raises MailServerAway; whatever else is raised is wrong with this one e-mail.
    """
    attach = _attach.get(message.event)
    with translation.override(languages.of_recipient(message)):
        attachments = attach(message) if attach else ()
    link_path = _link_paths.get(message.event)
    email = compose(
        message,
        attached=[attachment.filename for attachment in attachments],
        path=link_path(message) if link_path else "",
    )
    for attachment in attachments:
        email.attach(attachment.filename, attachment.content, attachment.media_type)
    try:
        email.send()
    except _REFUSED_THIS_ONE:
        raise
    except OSError as error:  # no connection, no answer in time, no login
        raise MailServerAway(f"{type(error).__name__}: {error}") from error


def compose(
    message: Message, *, attached: Sequence[str] = (), path: str = ""
) -> EmailMultiAlternatives:
    """Return the e-mail of a recorded message: text and HTML, in which `attached` may be named.

    `path` is where its link leads, when that is not the message's own.

    The Message-ID comes from the message's own id, so that one sent twice can be recognised as the
    same by whoever receives it.
    """
    account = message.account
    is_to_staff = message.event in TO_STAFF
    zone = account.timezone if account and not is_to_staff else ZoneInfo("UTC")
    language = languages.of_recipient(message)
    portal_url = settings.PORTAL_URL.rstrip("/")
    with translation.override(language):
        told = _readable_in(message.payload)
    context = {
        **told,
        "account_name": account.name if account else "",
        "seller": settings.SELLER,
        "timezone": str(zone),
        "link": portal_url + (path or message.payload.get("path", "/")),
        "attached": attached,
    }
    template = f"email/{message.event}"
    with timezone.override(zone), translation.override(language):
        subject = render_to_string(f"{template}.subject.txt", context)
        email = EmailMultiAlternatives(
            subject=" ".join(subject.split()),
            body=render_to_string(f"{template}.txt", context),
            to=[message.recipient],
            headers={
                "Message-ID": f"<message-{message.pk}@{urlsplit(portal_url).hostname}>",
                # Asks mail servers not to answer with out-of-office notes.
                "Auto-Submitted": "auto-generated",
                "Content-Language": language,
            },
        )
        # No line ends between a minus and its amount.
        html = render_to_string(f"{template}.html", context).replace("−$", "−\N{WORD JOINER}$")
        email.attach_alternative(html, "text/html")
    return email


def _readable_in(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _readable(key, value) for key, value in payload.items()}


def _readable(key: str, value: Any) -> Any:
    """Turn the ISO 8601 text of a time into the time, and what was recorded into readable words.

    Templates show a time in the account's zone; words are in the language that is spoken.
    """
    if isinstance(value, list):
        return [_readable(key, item) for item in value]
    if isinstance(value, dict):
        return _readable_in(value)
    if not isinstance(value, str) or not value:
        return value
    return datetime.fromisoformat(value) if key.endswith("_at") else translated(value)
