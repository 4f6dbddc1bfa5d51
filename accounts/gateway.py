"""The only place that talks to Stripe.

It translates our words to Stripe's parameters and Stripe's errors to the few outcomes the portal
knows; what Stripe's objects mean is in stripe_objects.py. A decline is an outcome; a timeout is
*unknown*, never *failed* (GatewayUnavailable): the caller leaves the row as it is and asks again.

Never call it inside a database transaction.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn, cast

import stripe
import structlog
from django.conf import settings
from django.db import transaction
from djmoney.money import Money

from accounts.declines import explain_decline
from accounts.models import Account
from accounts.money import to_minor_units
from accounts.stripe_objects import (
    CheckoutSession,
    Outcome,
    Payment,
    Setup,
    checkout_from_session,
    payment_from_intent,
    setup_from_intent,
)

log = structlog.get_logger(__name__)


class GatewayUnavailable(Exception):
    """Stripe did not give an answer to rely on: what was asked may or may not have happened."""


class GatewayRefused(Exception):
    """Stripe refused the request itself: nothing happened, and asking again changes nothing."""


@lru_cache(maxsize=1)
def client() -> stripe.StripeClient:
    """The SDK's client: pinned version, bounded waits, retries under the same idempotency key."""
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        stripe_version=settings.STRIPE_API_VERSION,
        # The client ignores stripe.api_base, which dj-stripe sets.
        base_addresses={"api": settings.STRIPE_API_BASE},
        http_client=stripe.RequestsClient(timeout=settings.STRIPE_TIMEOUT_SECONDS),
        max_network_retries=2,
    )


# Customers and cards --------------------------------------------------------------------------
def create_customer(*, account: Account) -> str:
    """Create the account's Stripe customer and return its id; asked twice, Stripe makes one.

    Name and address follow in a request of their own: they may change between two askings, and
    the key stands for exactly what was asked first.
    """
    with _translated():
        customer = client().v1.customers.create(
            {"metadata": {"account": str(account.pk)}},
            {"idempotency_key": f"customer-{account.pk}"},
        )
    try:
        with _translated():
            client().v1.customers.update(
                customer.id, {"name": account.name, "email": account.contact_email}
            )
    except GatewayRefused:
        # Stripe takes not every address that is one. Nothing depends on it there.
        log.warning("customer_not_described", account=str(account.pk))
    return customer.id


def create_setup(*, customer_id: str) -> Setup:
    """Begin saving a card; the browser confirms it with the client secret."""
    with _translated():
        intent = client().v1.setup_intents.create(
            {"customer": customer_id, "usage": "off_session", "payment_method_types": ["card"]}
        )
    return setup_from_intent(intent.to_dict())


def retrieve_setup(setup_intent_id: str) -> Setup:
    """Return how a SetupIntent stands, with its card."""
    with _translated():
        intent = client().v1.setup_intents.retrieve(setup_intent_id, {"expand": ["payment_method"]})
    return setup_from_intent(intent.to_dict())


def place_hold(
    *, customer_id: str, payment_method_id: str, setup_intent_id: str, amount: Money
) -> Payment:
    """Authorise, never capture, `amount` on a card to verify it. PENDING means it is held."""
    return _create_payment(
        {
            "amount": to_minor_units(amount),
            "currency": _currency(amount),
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
    """Release a hold. Voiding what is voided already is fine.

    Without a key of ours: under one, Stripe would answer a passing fault again for a day.
    """
    with _translated():
        intents = client().v1.payment_intents
        if intents.retrieve(hold_id).status == "canceled":
            return
        try:
            intents.cancel(hold_id, {"cancellation_reason": "requested_by_customer"})
        except stripe.InvalidRequestError:
            # Voided by another process between the two?
            if intents.retrieve(hold_id).status != "canceled":
                raise


def find_holds(*, customer_id: str, setup_intent_id: str) -> list[str]:
    """Return the holds that were placed to verify the card of a SetupIntent.

    From the customer's newest payments, not by searching: that finds new ones only after a while.
    """
    with _translated():
        found = client().v1.payment_intents.list({"customer": customer_id, "limit": 100})
    return [
        intent.id
        for intent in found.data
        if intent.to_dict()["metadata"].get("hold") == setup_intent_id
    ]


def detach_card(payment_method_id: str) -> None:
    """Make a saved card unusable. A card that is detached or gone already is fine."""
    try:
        with _translated():
            client().v1.payment_methods.detach(payment_method_id)
    except GatewayRefused as refusal:
        log.info("card_was_detached_before", payment_method=payment_method_id, why=str(refusal))


# Payments -------------------------------------------------------------------------------------
def charge_card(
    *,
    customer_id: str,
    payment_method_id: str,
    amount: Money,
    description: str,
    metadata: Mapping[str, str],
    idempotency_key: str,
) -> Payment:
    """Charge a saved card. Asked again under the same key, Stripe answers the same."""
    return _create_payment(
        {
            "amount": to_minor_units(amount),
            "currency": _currency(amount),
            "customer": customer_id,
            "payment_method": payment_method_id,
            "payment_method_types": ["card"],
            "confirm": True,
            "off_session": True,
            "description": description,
            "metadata": dict(metadata),
        },
        idempotency_key=idempotency_key,
    )


def open_checkout(
    *,
    customer_id: str,
    amount: Money,
    description: str,
    metadata: Mapping[str, str],
    success_url: str,
    cancel_url: str,
    idempotency_key: str,
) -> CheckoutSession:
    """Open a hosted payment page for `amount`."""
    with _translated():
        session = client().v1.checkout.sessions.create(
            {
                "mode": "payment",
                "customer": customer_id,
                "payment_method_types": ["card"],
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": _currency(amount),
                            "unit_amount": to_minor_units(amount),
                            "product_data": {"name": description},
                        },
                    }
                ],
                "payment_intent_data": {"description": description, "metadata": dict(metadata)},
                "metadata": dict(metadata),
                "success_url": success_url,
                "cancel_url": cancel_url,
            },
            {"idempotency_key": idempotency_key},
        )
    return checkout_from_session(session.to_dict())


def retrieve_checkout(session_id: str) -> CheckoutSession:
    """Return how a hosted payment page stands, with its payment."""
    with _translated():
        session = client().v1.checkout.sessions.retrieve(
            session_id, {"expand": ["payment_intent.latest_charge"]}
        )
    return checkout_from_session(session.to_dict())


def find_payment(*, transaction_number: str) -> Payment:
    """Return the payment that Stripe has for a transaction; CANCELED when it never got one.

    For transactions so old that asking again under their key would be a new charge.
    """
    with _translated():
        found = client().v1.payment_intents.search(
            {
                "query": f"metadata['transaction']:'{transaction_number}'",
                "expand": ["data.latest_charge"],
            }
        )
    intents = [payment_from_intent(intent.to_dict()) for intent in found.data]
    never_asked = Payment(
        Outcome.CANCELED,
        failure_code="not_charged",
        failure_message="The payment did not reach the bank. You have not been charged.",
    )
    return next(
        (payment for payment in intents if payment.outcome == Outcome.SUCCEEDED),
        intents[0] if intents else never_asked,
    )


# Webhooks -------------------------------------------------------------------------------------
def verify_signature(*, payload: bytes, header: str, secret: str, tolerance: int) -> None:
    """Check that Stripe signed `payload`, no longer than `tolerance` seconds ago.

    Raises GatewayRefused when it did not.
    """
    try:
        stripe.WebhookSignature.verify_header(payload.decode(), header, secret, tolerance)
    except (stripe.SignatureVerificationError, UnicodeDecodeError, ValueError) as error:
        raise GatewayRefused(str(error)) from error


def create_webhook_endpoint(
    *, url: str, events: list[str], metadata: Mapping[str, str]
) -> dict[str, Any]:
    """Register where Stripe sends its events; the answer holds the signing secret, only now."""
    with _translated():
        endpoint = client().v1.webhook_endpoints.create(
            {
                "url": url,
                "enabled_events": events,  # type: ignore[typeddict-item]
                "api_version": settings.STRIPE_API_VERSION,  # type: ignore[typeddict-item]
                "metadata": dict(metadata),
            }
        )
    return endpoint.to_dict()


# Translation ----------------------------------------------------------------------------------
class _translated:  # noqa: N801 - a context manager, used as a verb
    """Turn the SDK's errors into ours, and refuse to run inside a database transaction."""

    def __enter__(self) -> None:
        # Raises RuntimeError inside another transaction; by itself it costs no statement.
        with transaction.atomic(durable=True):
            pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, stripe.CardError) or not isinstance(error, stripe.StripeError):
            return
        _raise_ours(error)


def _raise_ours(error: stripe.StripeError) -> NoReturn:
    if isinstance(error, stripe.InvalidRequestError):
        log.warning("stripe_refused", code=error.code, param=error.param, message=str(error))
        raise GatewayRefused(error.user_message or str(error)) from error
    # A connection error, a 5xx, a 429, a key in use, a wrong API key: nothing is known of the
    # payment itself.
    log.warning("stripe_unavailable", error=type(error).__name__, message=str(error))
    raise GatewayUnavailable(str(error)) from error


def _currency(amount: Money) -> str:
    return str(amount.currency.code).lower()


def _create_payment(params: dict[str, Any], *, idempotency_key: str) -> Payment:
    params = {**params, "expand": ["latest_charge"]}
    try:
        with _translated():
            intent = client().v1.payment_intents.create(
                params,  # type: ignore[arg-type]
                {"idempotency_key": idempotency_key},
            )
    except stripe.CardError as error:
        return _declined(error)
    return payment_from_intent(intent.to_dict())


def _declined(error: stripe.CardError) -> Payment:
    answer = cast("Mapping[str, Any]", error.json_body or {})
    body: Mapping[str, Any] = answer.get("error") or {}
    code = body.get("decline_code") or body.get("code") or "card_declined"
    if code == "generic_decline":
        code = "card_declined"
    return Payment(
        outcome=Outcome.DECLINED,
        payment_intent_id=(body.get("payment_intent") or {}).get("id", ""),
        failure_code=code,
        failure_message=explain_decline(code),
    )
