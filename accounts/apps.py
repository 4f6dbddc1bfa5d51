"""Configuration of the accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Connects Stripe's events to cards, and invitations to their e-mail."""

    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Connect what asks for it."""
        from accounts import invitations, webhook_receivers  # noqa: F401

        invitations.connect()
