"""How people sign in."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class InvitedOnlyAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: the platform provisions accounts and their owners."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Always no."""
        return False
