"""Configuration of the invoices app."""

from django.apps import AppConfig


class InvoicesConfig(AppConfig):
    """Registers the app."""

    name = "invoices"
    verbose_name = "Invoices"
