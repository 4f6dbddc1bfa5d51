"""Configuration of the accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Connects Stripe's events to cards, and links to the e-mails that carry them."""

    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Connect what asks for it."""
        from accounts import (
            email_changes,
            invitations,
            kept_secrets,
            stripe_keys_kept_out,
            webhook_receivers,  # noqa: F401
        )
        from accounts.gateway import beforehand

        stripe_keys_kept_out.connect()
        kept_secrets.connect()
        beforehand.connect()
        invitations.connect()
        email_changes.connect()
