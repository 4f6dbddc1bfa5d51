"""Configuration of the invoices app."""

from django.apps import AppConfig


class InvoicesConfig(AppConfig):
    """Connects Stripe's events to transactions."""

    name = "invoices"
    verbose_name = "Invoices"

    def ready(self) -> None:
        """Connect the receivers."""
        from invoices import reversal_receivers, webhook_receivers  # noqa: F401
