"""Configuration of the billing_portal app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BillingPortalConfig(AppConfig):
    """Registers the app."""

    name = "billing_portal"
    verbose_name = "Billing portal"

    def ready(self) -> None:
        """Register the system checks, and staff's roles; with wrong settings, start nothing."""
        from accounts import staff_groups
        from billing_portal import checks, log_context, second_factor, staff_sessions

        checks.refuse_to_start_unfit()
        second_factor.connect()
        staff_sessions.connect()
        log_context.connect()
        post_migrate.connect(staff_groups.after_migrate, sender=self)
