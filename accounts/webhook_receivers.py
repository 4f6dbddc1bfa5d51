"""What Stripe's events do to cards.

Receivers run inside dj-stripe's database transaction and never call the gateway.
"""

from typing import Any

from django.utils import timezone
from djstripe.event_handlers import djstripe_receiver
from djstripe.models import Event

from accounts import card_attempts, card_changes
from accounts.stripe_objects import payment_method_of


@djstripe_receiver(["payment_method.automatically_updated", "payment_method.updated"])
def update_card(sender: type[Event], event: Event, **kwargs: Any) -> None:
    """The bank replaced a card, or somebody edited it in Stripe's dashboard."""
    method = event.data["object"]
    if method["type"] == "card":
        card_changes.update(
            method=payment_method_of(method),
            customer_id=method["customer"] or "",
            told_at=event.created,
            now=timezone.now(),
        )


@djstripe_receiver(["payment_method.detached"])
def detach_card(sender: type[Event], event: Event, **kwargs: Any) -> None:
    """A card was detached: it says no more whose it was, but what it said before does."""
    before = event.data.get("previous_attributes") or {}
    card_changes.detached(
        payment_method_id=event.data["object"]["id"],
        customer_id=before.get("customer") or "",
        now=timezone.now(),
    )


@djstripe_receiver(["setup_intent.setup_failed"])
def count_failure(sender: type[Event], event: Event, **kwargs: Any) -> None:
    """A bank refused a card before it was saved."""
    intent = event.data["object"]
    error = intent.get("last_setup_error") or {}
    card_attempts.note_failure(
        setup_intent_id=intent["id"],
        code=error.get("decline_code") or error.get("code") or "card_declined",
    )
