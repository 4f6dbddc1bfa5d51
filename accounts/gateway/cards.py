"""Customers and cards: saved with a SetupIntent, verified by a hold that is voided."""

import stripe
import structlog
from djmoney.money import Money

from accounts.gateway.connection import GatewayRefused, client, currency_of, translated
from accounts.gateway.payments import create_payment
from accounts.models import Account
from accounts.money import to_minor_units
from accounts.stripe_objects import Payment, Setup, setup_from_intent

log = structlog.get_logger(__name__)


def create_customer(*, account: Account) -> str:
    """Create the account's Stripe customer and return its id; asked twice, Stripe makes one.

    Name and address follow in a request of their own: they may change between two askings, and
    the key stands for exactly what was asked first.
    """
    with translated():
        customer = client().v1.customers.create(
            {"metadata": {"account": str(account.pk)}},
            {"idempotency_key": f"customer-{account.pk}"},
        )
    try:
        with translated():
            client().v1.customers.update(
                customer.id, {"name": account.name, "email": account.contact_email}
            )
    except GatewayRefused:
        # Stripe takes not every address that is one. Nothing depends on it there.
        log.warning("customer_not_described", account=str(account.pk))
    return customer.id


def create_setup(*, customer_id: str) -> Setup:
    """Begin saving a card; the browser confirms it with the client secret."""
    with translated():
        intent = client().v1.setup_intents.create(
            {"customer": customer_id, "usage": "off_session", "payment_method_types": ["card"]}
        )
    return setup_from_intent(intent.to_dict())


def retrieve_setup(setup_intent_id: str) -> Setup:
    """Return how a SetupIntent stands, with its card."""
    with translated():
        intent = client().v1.setup_intents.retrieve(setup_intent_id, {"expand": ["payment_method"]})
    return setup_from_intent(intent.to_dict())


def cancel_setup(setup_intent_id: str) -> None:
    """Let nobody try another card with a SetupIntent. One that has ended already is fine."""
    try:
        with translated():
            client().v1.setup_intents.cancel(setup_intent_id)
    except GatewayRefused as refusal:
        log.info("setup_had_ended", setup_intent=setup_intent_id, why=str(refusal))


def place_hold(
    *, customer_id: str, payment_method_id: str, setup_intent_id: str, amount: Money
) -> Payment:
    """Authorise, never capture, `amount` on a card to verify it. PENDING means it is held."""
    return create_payment(
        {
            "amount": to_minor_units(amount),
            "currency": currency_of(amount),
            "customer": customer_id,
            "payment_method": payment_method_id,
            "payment_method_types": ["card"],
            "capture_method": "manual",
            "confirm": True,
            "off_session": True,
            "description": "Card verification, voided at once",
            "metadata": {"hold": setup_intent_id},
        },
        idempotency_key=f"hold-{setup_intent_id}",
    )


def void_hold(hold_id: str) -> None:
    """Release a hold. Voiding what is voided already is fine, and so is what was given back.

    Without a key of ours: under one, Stripe would answer a passing fault again for a day. Raises
    GatewayRefused for a hold that somebody captured.
    """
    with translated():
        if _is_released(hold_id):
            return
        try:
            client().v1.payment_intents.cancel(
                hold_id, {"cancellation_reason": "requested_by_customer"}
            )
        except stripe.InvalidRequestError:
            # Voided by another process between the two?
            if not _is_released(hold_id):
                raise


def _is_released(hold_id: str) -> bool:
    """Whether a hold is voided, or was captured and refunded in full."""
    intent = client().v1.payment_intents.retrieve(hold_id, {"expand": ["latest_charge"]}).to_dict()
    charge = intent["latest_charge"] or {}
    return intent["status"] == "canceled" or (
        intent["status"] == "succeeded" and bool(charge.get("refunded"))
    )


def find_holds(*, customer_id: str, setup_intent_id: str) -> list[str]:
    """Return the holds that were placed to verify the card of a SetupIntent.

    From the customer's newest payments, not by searching: that finds new ones only after a while.
    """
    with translated():
        found = client().v1.payment_intents.list({"customer": customer_id, "limit": 100})
    return [
        intent.id
        for intent in found.data
        if intent.to_dict()["metadata"].get("hold") == setup_intent_id
    ]


def detach_card(payment_method_id: str) -> None:
    """Make a saved card unusable. A card that is detached or gone already is fine."""
    try:
        with translated():
            client().v1.payment_methods.detach(payment_method_id)
    except GatewayRefused as refusal:
        log.info("card_was_detached_before", payment_method=payment_method_id, why=str(refusal))
