"""`manage.py register_webhooks`: tell Stripe where this portal listens."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import webhooks
from accounts.gateway import GatewayRefused, GatewayUnavailable


class Command(BaseCommand):
    """Makes the webhook endpoint at Stripe, once for an address."""

    help = "Register this portal's webhook endpoint with Stripe, for PORTAL_URL."

    def handle(self, *args: Any, **options: Any) -> None:
        """Register it; what is registered already is kept."""
        try:
            endpoint = webhooks.register_endpoint(portal_url=settings.PORTAL_URL)
        except (GatewayUnavailable, GatewayRefused) as error:
            raise CommandError(f"Stripe did not take the endpoint: {error}") from error
        self.stdout.write(f"Stripe sends its events to {endpoint.url}")
