"""What every template may show."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from billing_portal.dashboard.viewing import viewing_of


def portal(request: HttpRequest) -> dict[str, Any]:
    """The seller's name, Stripe's public addresses, and whose dashboard staff are viewing."""
    return {
        "viewing": viewing_of(request),
        "seller": settings.SELLER,
        "stripe_js_url": settings.STRIPE_JS_URL,
        "stripe_publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
    }
