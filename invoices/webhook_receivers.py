"""What Stripe's events do to transactions.

Receivers run inside dj-stripe's database transaction: they settle from the event itself, or nudge
the worker to ask, and never call the gateway. What an event says may be old, so settlement only
takes from it what can't change any more: a capture, or a decline of a charge that is waiting.
"""

from typing import Any

from django.utils import timezone
from djstripe.event_handlers import djstripe_receiver
from djstripe.models import Event

from accounts import nudges
from accounts.stripe_objects import payment_from_charge, payment_from_intent
from invoices import settlement
from invoices.models import Status, Transaction


@djstripe_receiver(["charge.succeeded"])
def settle_charge(sender: type[Event], event: Event, **kwargs: Any) -> None:
    """A capture settles its transaction, with the card it was made with."""
    charge = event.data["object"]
    transaction = _transaction_of(charge)
    if transaction is None:
        return
    settlement.settle(
        transaction_id=transaction.pk,
        payment=payment_from_charge(charge),
        now=timezone.now(),
    )


@djstripe_receiver(["payment_intent.payment_failed", "payment_intent.canceled"])
def settle_failure(sender: type[Event], event: Event, **kwargs: Any) -> None:
    """A decline settles the charge of a saved card whose answer was lost."""
    intent = event.data["object"]
    transaction = _transaction_of(intent)
    if transaction is not None and transaction.status == Status.PROCESSING:
        settlement.settle(
            transaction_id=transaction.pk,
            payment=payment_from_intent(intent),
            now=timezone.now(),
        )


@djstripe_receiver(
    ["checkout.session.completed", "checkout.session.expired", "payment_intent.succeeded"]
)
def ask(sender: type[Event], event: Event, **kwargs: Any) -> None:
    """Something happened to a payment: have the worker ask, unless it is settled already."""
    transaction = _transaction_of(event.data["object"])
    if transaction is not None and transaction.is_open:
        nudge(transaction_id=transaction.pk)


def nudge(*, transaction_id: int) -> None:
    """After commit, have the worker ask about a transaction; a lost nudge waits for the sweep."""
    nudges.after_commit("invoices.refresh_transaction", transaction_id)


def _transaction_of(stripe_object: dict[str, Any]) -> Transaction | None:
    """Return the transaction that a Stripe object was made for: its number is in the metadata."""
    number = (stripe_object.get("metadata") or {}).get("transaction", "")
    return Transaction.objects.filter(number=number).first() if number else None
