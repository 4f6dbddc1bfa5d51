"""How people sign in."""

import smtplib
from typing import Any
from urllib.parse import urlsplit

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from accounts.emails import MailServerAway

log = structlog.get_logger(__name__)


class InvitedOnlyAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: the platform provisions accounts and their owners."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Always no."""
        return False

    def format_email_subject(self, subject: str) -> str:
        """As it is written: allauth would put the host's name in brackets before it."""
        return subject

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send it while they wait: its link is kept nowhere. Raises MailServerAway.

        An address that the mail server does not want is as one whose letters come back: nobody is
        told, for it may be no customer's.
        """
        try:
            super().send_mail(template_prefix, email, context)
        except smtplib.SMTPRecipientsRefused:
            log.warning("recipient_refused", template=template_prefix)
        except OSError as error:
            raise MailServerAway(f"{type(error).__name__}: {error}") from error

    def get_reset_password_from_key_url(self, key: str) -> str:
        """At the portal's own address, whatever `Host` the request came with.

        A host that is allowed is so with every port, and somebody else may listen there.
        """
        path = urlsplit(super().get_reset_password_from_key_url(key)).path
        return f"{settings.PORTAL_URL.rstrip('/')}{path}"
