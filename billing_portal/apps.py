"""Configuration of the billing_portal app."""

from django.apps import AppConfig


class BillingPortalConfig(AppConfig):
    """Registers the app."""

    name = "billing_portal"
    verbose_name = "Billing portal"
