"""Configuration of the accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Connects Stripe's events to cards."""

    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Connect Stripe's events to cards."""
        from accounts import webhook_receivers  # noqa: F401
