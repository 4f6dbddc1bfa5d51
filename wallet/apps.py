"""Configuration of the wallet app."""

from django.apps import AppConfig


class WalletConfig(AppConfig):
    """Registers the app."""

    name = "wallet"
    verbose_name = "Wallet"
