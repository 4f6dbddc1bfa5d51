"""`manage.py encrypt_secrets`: after SECRET_KEY was changed, before the old one is forgotten."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import kept_secrets
from accounts.encryption import Unreadable


class Command(BaseCommand):
    """Encrypts what older keys encrypted under the newest."""

    help = "Encrypt the secrets in the database anew, under SECRET_KEY."

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it: all of them or none."""
        try:
            count = kept_secrets.encrypt_anew()
        except Unreadable as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{count} secrets are encrypted under SECRET_KEY. "
            "What is in SECRET_KEY_FALLBACKS is not needed for them any more."
        )
