"""How people sign in."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class InvitedOnlyAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: the platform provisions accounts and their owners."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Always no."""
        return False

    def format_email_subject(self, subject: str) -> str:
        """As it is written: allauth would put the host's name in brackets before it."""
        return subject
