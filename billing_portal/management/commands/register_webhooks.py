"""`manage.py register_webhooks`: tell Stripe where this portal listens, and to what."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import webhook_endpoint
from accounts.gateway import GatewayRefused, GatewayUnavailable
from accounts.webhook_endpoint import Registration


class Command(BaseCommand):
    """Makes the webhook endpoint at Stripe, once for an address, and keeps it up to date."""

    help = "Register this portal's webhook endpoint with Stripe, for PORTAL_URL, or update it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take `--replace`."""
        parser.add_argument(
            "--replace",
            action="store_true",
            help="Make a new endpoint in place of the one there is: with a new signing secret, "
            "and of the API version that the portal is written for.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Register it, and say what that changed."""
        try:
            registration = webhook_endpoint.register_endpoint(
                portal_url=settings.PORTAL_URL, replace=options["replace"]
            )
        except (GatewayUnavailable, GatewayRefused) as error:
            raise CommandError(f"Stripe did not take the endpoint: {error}") from error
        self.stdout.write("\n".join(_report(registration)))


def _report(registration: Registration) -> Iterator[str]:
    endpoint = registration.endpoint
    yield (
        f"Stripe sends {len(endpoint.enabled_events)} kinds of events to {endpoint.url} "
        f"({endpoint.id})"
    )
    if registration.is_new:
        yield "  made just now; its signing secret is in the database"
    for url in registration.deleted:
        yield f"  in place of {url}, which is deleted"
    if registration.was_disabled:
        yield "  it was disabled, and is on again"
    for name in registration.added:
        yield f"  + {name}"
    for name in registration.removed:
        yield f"  - {name}"
    if not registration.changed:
        yield "  as before: nothing to change"
    if registration.has_other_version:
        yield (
            f"Its events are of API version {endpoint.api_version or 'of the account'}, and the "
            f"portal is written for {settings.STRIPE_API_VERSION}: run it again with --replace."
        )
    for url in registration.strangers:
        yield f"Stripe also sends to {url}, which this portal refuses: delete it in the dashboard."
