"""Configuration of the billing_portal app."""

from django.apps import AppConfig


class BillingPortalConfig(AppConfig):
    """Registers the app."""

    name = "billing_portal"
    verbose_name = "Billing portal"

    def ready(self) -> None:
        """Register the system checks; with wrong settings, start nothing at all."""
        from billing_portal import checks

        checks.refuse_to_start_unfit()
